# shellcheck shell=bash disable=SC2034,SC2154
# Debian. Read by base-images.sh, which gives it unpack_debian, import, say, die, need and $work.

debian_tags=(debian:bookworm-slim)

make_debian() {
  local root=$work/debian
  unpack_debian "$root"
  import "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'CMD ["bash"]' -- "$@"
  rm -rf --one-file-system "$root"
}
