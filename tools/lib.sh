# shellcheck shell=bash
# What install.sh, test.sh and tests/base-images.sh share: how they speak, and how they get packages and Rust onto the
# machine. Sourced, never run.

# What is needed to link, and to compile the dependencies that bring C code.
# shellcheck disable=SC2034 # used where this is sourced
readonly BUILD_TOOLS=(gcc=build-essential make=build-essential)

say() { printf '      %s\n' "$@"; }
# die WHAT [NEXT]...: what happened, then what to do about it.
die() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
  exit 1
}

# need COMMAND=PACKAGE...: installs the packages whose commands are missing.
need() {
  local pair missing=()
  for pair; do
    if ! command -v "${pair%%=*}" >/dev/null; then missing+=("${pair#*=}"); fi
  done
  if [ "${#missing[@]}" != 0 ]; then apt_install "${missing[@]}"; fi
}

apt_install() {
  [ "$(id -u)" = 0 ] || die "these packages are missing: $*" 'Install them, or run this as root.'
  say "installing: $*"
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt-get update -q >/dev/null || say 'apt-get update failed; trying with the package lists that are here'
  apt-get install -y -q --no-install-recommends "$@" >/dev/null ||
    die "apt-get could not install $*." 'See its message above; then run this again.'
}

# Whether version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# ensure_rust ROOT: makes sure that cargo is there, in the version that ROOT/Cargo.toml asks for.
ensure_rust() {
  local root=$1 wanted found script
  local home=${CARGO_HOME:-$HOME/.cargo}
  # A rustup of an earlier run is not in every PATH (sudo resets it).
  PATH=$PATH:$home/bin
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$root/Cargo.toml")
  found=$(cd "$root" && { rustc --version 2>/dev/null || true; } | cut -d' ' -f2)
  if [ -n "$found" ] && command -v cargo >/dev/null && at_least "$found" "$wanted"; then
    say "Rust $found"
    return
  fi
  say "Rust $wanted or later is needed, found: ${found:-none}; installing the current one (rustup)"
  if ! command -v rustup >/dev/null; then
    script=$(mktemp)
    curl --proto '=https' --tlsv1.2 -fsSL --retry 2 https://sh.rustup.rs -o "$script" ||
      die 'https://sh.rustup.rs cannot be reached, so Rust cannot be installed.' \
        "Install Rust $wanted or later yourself, then run this again."
    sh "$script" -y -q --no-modify-path --profile minimal ||
      die 'rustup could not install Rust.' 'See its message above; then run this again.'
    rm -f "$script"
  else
    rustup toolchain install stable --profile minimal ||
      die 'rustup could not install a newer Rust.' 'See its message above; then run this again.'
  fi
  # The new one comes before the distribution's, and before an older default of rustup.
  PATH=$home/bin:$PATH
  export RUSTUP_TOOLCHAIN=stable
}
