# shellcheck shell=bash disable=SC2034,SC2154
# Bun from its npm package. Read by base-images.sh, which gives it unpack_debian, import, say, die, need and $work.

bun_tags=(oven/bun:1-slim oven/bun:1)

make_bun() {
  local root=$work/bun packages=$work/npm-bun platform
  case $(dpkg --print-architecture) in
  # The build for older processors, as in the official image.
  amd64) platform=@oven/bun-linux-x64-baseline ;;
  arm64) platform=@oven/bun-linux-aarch64 ;;
  *) die "there is no npm package with Bun for $(dpkg --print-architecture)" ;;
  esac
  need npm=npm
  say 'fetching Bun 1 (npm)'
  mkdir -p "$packages"
  npm install --silent --no-save --no-package-lock --ignore-scripts --prefix "$packages" "$platform@1" ||
    die 'npm could not fetch Bun. Check that this machine reaches an npm registry, then run this again.'

  unpack_debian "$root"
  install -m 0755 "$packages/node_modules/$platform/bin/bun" "$root/usr/local/bin/bun"
  ln -s bun "$root/usr/local/bin/bunx"
  # Programs that ask for Node get Bun, as in the official image.
  mkdir -p "$root/usr/local/bun-node-fallback-bin"
  ln -s ../bin/bun "$root/usr/local/bun-node-fallback-bin/node"
  # Bun reads what npm is told about registries from the user's file only.
  if [ -f "$root/usr/local/etc/npmrc" ]; then cp "$root/usr/local/etc/npmrc" "$root/root/.npmrc"; fi
  chroot "$root" groupadd --gid 1000 bun
  chroot "$root" useradd --uid 1000 --gid bun --shell /bin/sh --create-home bun

  # The official image's entry point: what is not a command is an argument of bun.
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- /usr/local/bin/bun "$@"
fi
exec "$@"
SCRIPT
  chmod 0755 "$root/usr/local/bin/docker-entrypoint.sh"

  import "$root" \
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bun-node-fallback-bin' \
    'ENV BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 BUN_INSTALL_BIN=/usr/local/bin' 'WORKDIR /home/bun/app' \
    'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]' 'CMD ["/usr/local/bin/bun"]' -- "$@"
  rm -rf --one-file-system "$root" "$packages"
}
