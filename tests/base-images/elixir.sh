# shellcheck shell=bash disable=SC2034,SC2154
# Elixir 1.14 from Debian. Read by base-images.sh, which gives it unpack_debian, install_debian, import, say, die, need
# and $work.

elixir_tags=(elixir:1.14 elixir:1.14-slim)

make_elixir() {
  local root=$work/elixir
  unpack_debian "$root"
  say 'installing Elixir and Erlang (Debian)'
  install_debian "$root" elixir erlang-base erlang-inets erlang-ssl erlang-crypto erlang-public-key erlang-asn1 \
    erlang-dev erlang-parsetools erlang-tools erlang-syntax-tools erlang-runtime-tools
  import "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'ENV LANG=C.UTF-8' \
    'CMD ["iex"]' -- "$@"
  rm -rf --one-file-system "$root"
}
