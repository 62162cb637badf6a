#!/usr/bin/env bash
# Makes sure that the base images which builds start from are on this machine.
#
# Each image that is missing is pulled. Where no registry can be reached, a stand-in is made under
# the same name: Debian from its packages (debootstrap), Node from npm packages. A stand-in carries
# the label orbitra.test.stand-in; an image without that label was really pulled and stays as it is.
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.sh"
cd "$(dirname "${BASH_SOURCE[0]}")"

# Raise this when the contents of the stand-ins change: older ones are then made again.
readonly VERSION=1
readonly LABEL=orbitra.test.stand-in
readonly SUITE=bookworm
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/orbitra/base-images
readonly DEFINITIONS=$PWD/base-images
# How long a registry may take to answer, and how long a pull that has begun may take.
readonly ANSWER_SECONDS=15
readonly PULL_SECONDS=900

work=
pull_works=yes

# What is said stands out among the lines of the callers.
say() { printf 'base images: %s\n' "$*"; }

# Every image is a file of base-images/ that names its tags (NAME_tags) and makes them (make_NAME).
definitions=()
for file in "$DEFINITIONS"/*.sh; do
  # shellcheck source=/dev/null
  . "$file"
  definitions+=("$(basename "$file" .sh)")
done

# tags NAME: the tags of one definition, a line each.
tags() {
  local -n list="$1_tags"
  printf '%s\n' "${list[@]}"
}

usage() {
  printf 'Usage: base-images.sh [NAME...]     (default: all)\n       base-images.sh --remove\n\n'
  local name
  for name in "${definitions[@]}"; do printf '  %-10s %s\n' "$name" "$(tags "$name" | tr '\n' ' ')"; done
  cat <<TEXT

Pulls the first tag of each line when it is missing; where no registry answers, makes stand-ins
for all of them from Debian, npm and PyPI packages (root and Debian or Ubuntu needed). --remove
deletes the stand-ins, never a pulled image.
TEXT
}

cleanup() {
  if [ -n "$work" ]; then rm -rf --one-file-system "$work"; fi
}
trap cleanup EXIT

# The label of an image; empty for a pulled one. Fails when there is no such image.
marker() {
  docker image inspect --format "{{ index .Config.Labels \"$LABEL\" }}" "$1" 2>/dev/null
}

# Whether the image is here and needs nothing done to it.
is_ready() {
  local found
  found=$(marker "$1") || return 1
  case $found in
  "$VERSION") say "$1: stand-in, made earlier" ;;
  '') say "$1: pulled earlier" ;;
  *) return 1 ;;
  esac
}

# Pulls one image. The engine prints "Pulling from" once it has the manifest, so a registry that
# cannot be reached is noticed long before a slow download has to be given up.
pull() {
  local image=$1 log pid begun=$SECONDS
  if [ "$pull_works" = no ]; then return 1; fi
  log=$(mktemp)
  say "$image: pulling"
  docker pull "$image" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ $((SECONDS - begun)) -ge "$PULL_SECONDS" ] ||
      { [ $((SECONDS - begun)) -ge "$ANSWER_SECONDS" ] && ! grep -q 'Pulling from' "$log"; }; then
      kill "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  if wait "$pid"; then
    rm -f "$log"
    return
  fi
  # One failure is enough: the next image would wait as long again.
  pull_works=no
  say "that did not work: $(tail -n 1 "$log")"
  rm -f "$log"
  return 1
}

# The mirror this machine installs Debian from; debootstrap's own choice when it is not Debian.
debian_mirror() {
  # shellcheck disable=SC2016 # apt-get expands this itself
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    "Codename: $SUITE" 'Component: main' 2>/dev/null | sed -n 1p || true
}

# Certificate authorities that this machine trusts and the new system does not (a company's own,
# say) go where update-ca-certificates looks, so that later runs of it keep them.
copy_certificates() {
  local root=$1 host=/etc/ssl/certs/ca-certificates.crt certificate
  local own=$root/usr/local/share/ca-certificates split=$work/certificates
  if [ ! -f "$host" ]; then return; fi
  mkdir -p "$split" "$own"
  # Each certificate goes to a file named after a number; those known already are skipped.
  awk -v dir="$split" '
    FNR == 1 { file++; text = "" }
    /-----BEGIN CERTIFICATE-----/ { text = "" }
    { text = text $0 "\n" }
    /-----END CERTIFICATE-----/ {
      if (file == 1) known[text] = 1
      else if (!(text in known)) { name = dir "/host-" ++count ".crt"; printf "%s", text > name; close(name) }
    }' "$root/etc/ssl/certs/ca-certificates.crt" "$host"
  for certificate in "$split"/*.crt; do
    if [ -e "$certificate" ]; then cp "$certificate" "$own/"; fi
  done
  chroot "$root" update-ca-certificates >/dev/null 2>&1
}

# What this machine says about package registries, without credentials: an image is no place for
# them.
copy_registry_settings() {
  local root=$1 file registry usual
  for file in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf; do
    if [ -f "$file" ]; then
      sed '/:\/\/[^/]*@/d' "$file" >"$root/etc/pip.conf"
      break
    fi
  done
  if command -v npm >/dev/null; then
    # npm with no settings at all says what it would use anyway.
    registry=$(npm config get registry 2>/dev/null) || return 0
    usual=$(env -i PATH="$PATH" HOME=/nonexistent npm config get registry \
      --userconfig=/nonexistent/user --globalconfig=/nonexistent/global 2>/dev/null) || usual=$registry
    if [ "$registry" != "$usual" ] && [[ $registry != *@* ]]; then
      mkdir -p "$root/usr/local/etc"
      printf 'registry=%s\n' "$registry" >"$root/usr/local/etc/npmrc"
    fi
  fi
}

# Unpacks a minimal Debian to $1, from the cache when it was made before.
unpack_debian() {
  local root=$1 tar=$CACHE/debian-$SUITE-$VERSION.tar mirror
  mkdir -p "$root"
  if [ ! -f "$tar" ]; then
    need debootstrap=debootstrap
    if [ ! -f "$KEYRING" ]; then apt_install debian-archive-keyring; fi
    mirror=$(debian_mirror)
    say 'making a minimal Debian with debootstrap (about a minute, kept for later)'
    debootstrap --variant=minbase --include=ca-certificates \
      --keyring="$KEYRING" \
      "$SUITE" "$root" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 || {
      tail -n 15 "$work/debootstrap.log" >&2
      die 'debootstrap failed; its last lines are above. It needs a Debian package mirror it can reach.'
    }
    # As the slim images do: no package cache, no documentation but the licences.
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb \
      "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log \
      "$root"/usr/share/{man,info,locale,groff,lintian}/*
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    mkdir -p "$CACHE"
    tar -C "$root" -cf "$tar.part" .
    mv "$tar.part" "$tar"
  else
    tar -C "$root" -xf "$tar"
  fi
  copy_certificates "$root"
  copy_registry_settings "$root"
}

# install_debian ROOT PACKAGE...: installs packages into an unpacked Debian, as a slim image would: no recommendations,
# no documentation, no service started.
install_debian() {
  local root=$1 failed=0
  shift
  printf '%s\n' force-unsafe-io path-exclude=/usr/share/{doc,man,info,locale,lintian}/'*' \
    >"$root/etc/dpkg/dpkg.cfg.d/stand-in"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  # Java links its manual pages into a directory that must be there.
  mkdir -p "$root/usr/share/man/man1"
  # Java's certificate store is made by a program that reads /proc.
  mount -t proc proc "$root/proc"
  { chroot "$root" apt-get update -q &&
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } \
    >"$work/install.log" 2>&1 || failed=1
  umount "$root/proc"
  if [ "$failed" = 1 ]; then
    tail -n 15 "$work/install.log" >&2
    die "these packages could not be installed: $*" 'The last lines of apt-get are above.'
  fi
  rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
    "$root/usr/sbin/policy-rc.d" "$root/etc/dpkg/dpkg.cfg.d/stand-in"
}

# import ROOT "INSTRUCTION"... -- TAG...: turns a directory into an image.
import() {
  local root=$1 first tag changes=() bundle=/etc/ssl/certs/ca-certificates.crt
  shift
  changes+=(--change "LABEL $LABEL=$VERSION")
  # Tools with a certificate list of their own are pointed at the system's.
  changes+=(--change "ENV SSL_CERT_FILE=$bundle NODE_EXTRA_CA_CERTS=$bundle PIP_CERT=$bundle")
  while [ "$1" != -- ]; do
    changes+=(--change "$1")
    shift
  done
  shift
  first=$1
  tar -C "$root" -c . | docker import "${changes[@]}" - "$first" >/dev/null
  for tag; do
    if [ "$tag" != "$first" ]; then docker tag "$first" "$tag"; fi
    say "$tag: stand-in made"
  done
}

# ensure MAKER TAG...: pulls the first tag, or makes all that are missing. Where pulling works the
# other tags are left to the builds that want them: node:22 alone is a gigabyte.
ensure() {
  local maker=$1 tag found missing=()
  shift
  found=$(marker "$1") || found=missing
  case $found in
  '')
    say "$1: pulled earlier"
    return
    ;;
  missing)
    if pull "$1"; then return; fi
    ;;
  esac
  for tag; do
    if ! is_ready "$tag"; then missing+=("$tag"); fi
  done
  if [ "${#missing[@]}" = 0 ]; then return; fi
  [ "$(id -u)" = 0 ] || die "${missing[*]}: stand-ins have to be made as root"
  command -v apt-get >/dev/null || die "${missing[*]}: stand-ins can be made on Debian and Ubuntu only"
  say "making stand-ins from packages: ${missing[*]}"
  # Not /tmp: that may be mounted without devices or programs, which the new system needs.
  mkdir -p "$CACHE"
  if [ -z "$work" ]; then work=$(mktemp -d "$CACHE/work.XXXXXX"); fi
  "$maker" "${missing[@]}"
}

remove() {
  local name tag
  for name in "${definitions[@]}"; do
    for tag in $(tags "$name"); do
      if [ -n "$(marker "$tag" || true)" ]; then
        docker image rm "$tag" >/dev/null
        say "$tag: removed"
      fi
    done
  done
  rm -rf --one-file-system "$CACHE"
}

names=()
for argument; do
  case $argument in
  -h | --help)
    usage
    exit 0
    ;;
  --remove)
    remove
    exit 0
    ;;
  *)
    if [ ! -f "$DEFINITIONS/$argument.sh" ]; then
      usage >&2
      exit 2
    fi
    names+=("$argument")
    ;;
  esac
done
if [ "${#names[@]}" = 0 ]; then names=("${definitions[@]}"); fi

docker info >/dev/null 2>&1 || die 'Docker does not answer. Start it with tools/start-dockerd.sh, then run this again.'
# Two runs at once would do the same work twice.
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9

for name in "${names[@]}"; do
  mapfile -t wanted < <(tags "$name")
  ensure "make_$name" "${wanted[@]}"
done
