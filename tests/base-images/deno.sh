# shellcheck shell=bash disable=SC2034,SC2154
# Deno from its npm package. Read by base-images.sh, which gives it unpack_debian, import, say, die, need and $work.

# The version that src/builder/javascript/deno.rs takes for projects that name none.
deno_version=2.9.6
deno_tags=("denoland/deno:debian-$deno_version")

make_deno() {
  local root=$work/deno packages=$work/npm-deno platform
  case $(dpkg --print-architecture) in
  amd64) platform=@deno/linux-x64-glibc ;;
  arm64) platform=@deno/linux-arm64-glibc ;;
  *) die "there is no npm package with Deno for $(dpkg --print-architecture)" ;;
  esac
  need npm=npm
  say "fetching Deno $deno_version (npm)"
  mkdir -p "$packages"
  npm install --silent --no-save --no-package-lock --ignore-scripts --prefix "$packages" "$platform@$deno_version" ||
    die 'npm could not fetch Deno. Check that this machine reaches an npm registry, then run this again.'

  unpack_debian "$root"
  install -m 0755 "$packages/node_modules/$platform/deno" "$root/usr/bin/deno"
  # Deno reads what npm is told about registries from the user's file only.
  if [ -f "$root/usr/local/etc/npmrc" ]; then cp "$root/usr/local/etc/npmrc" "$root/root/.npmrc"; fi
  chroot "$root" useradd --uid 1993 --user-group deno
  mkdir "$root/deno-dir"
  chroot "$root" chown deno:deno /deno-dir

  # The official image's entry point: what is no command of the system is one of deno.
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ]; then
  set -- deno "$@"
fi
exec "$@"
SCRIPT
  chmod 0755 "$root/usr/local/bin/docker-entrypoint.sh"

  import "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "ENV DENO_DIR=/deno-dir/ DENO_INSTALL_ROOT=/usr/local DENO_VERSION=$deno_version" \
    "ENV DENO_TLS_CA_STORE=system,mozilla" \
    'ENTRYPOINT ["docker-entrypoint.sh"]' "CMD [\"eval\", \"console.log('Welcome to Deno!')\"]" -- "$@"
  rm -rf --one-file-system "$root" "$packages"
}
