# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Python 3.13 from Debian 13, which has it. Read by base-images.sh, which gives it import, say, die, need and $work.

python_tags=(python:3.13-slim-trixie python:3.13-slim python:3.13)

make_python() {
  local root=$work/python suite=trixie tar=$CACHE/debian-trixie-python-$VERSION.tar tool version
  mkdir -p "$root"
  if [ ! -f "$tar" ]; then
    need debootstrap=debootstrap
    if [ ! -f "$KEYRING" ]; then apt_install debian-archive-keyring; fi
    say 'making a minimal Debian 13 with Python 3.13 (about a minute, kept for later)'
    debootstrap --variant=minbase \
      --include=ca-certificates,python3,python3-venv,python3-pip \
      --keyring="$KEYRING" \
      "$suite" "$root" "$(python_mirror)" >"$work/debootstrap.log" 2>&1 || {
      tail -n 15 "$work/debootstrap.log" >&2
      die 'debootstrap failed; its last lines are above. It needs a Debian package mirror it can reach.'
    }
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

  # As in the official image: python and pip are in /usr/local, and pip may install beside them.
  for tool in python python3 python3.13; do ln -sf /usr/bin/python3 "$root/usr/local/bin/$tool"; done
  for tool in pip pip3; do
    printf '#!/usr/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n' \
      >"$root/usr/local/bin/$tool"
    chmod 0755 "$root/usr/local/bin/$tool"
  done
  rm -f "$root/usr/lib/python3.13/EXTERNALLY-MANAGED"

  version=$(chroot "$root" python3 -c 'import platform; print(platform.python_version())')
  import "$root" 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'ENV LANG=C.UTF-8 REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt' "ENV PYTHON_VERSION=$version" 'CMD ["python3"]' -- "$@"
  rm -rf --one-file-system "$root"
}

# Where this machine gets Debian from; the address does not depend on the release.
python_mirror() {
  local mirror
  mirror=$(debian_mirror)
  printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
}
