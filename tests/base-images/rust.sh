# shellcheck shell=bash disable=SC2034,SC2154
# Rust from Debian. Read by base-images.sh, which gives it unpack_debian, install_debian, import, say, die, need and $work.

rust_tags=(rust:1.85-bookworm)

make_rust() {
  local root=$work/rust
  unpack_debian "$root"
  say 'installing rustc, cargo and a C compiler (Debian)'
  install_debian "$root" rustc-web cargo-web gcc libc6-dev pkg-config
  mkdir -p "$root/usr/local/cargo/bin"
  import "$root" 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV CARGO_HOME=/usr/local/cargo' 'CMD ["bash"]' -- "$@"
  rm -rf --one-file-system "$root"
}
