# What the scripts in this folder share. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The shop's data is in the same place wherever the scripts are called from; --data names another.
export SHOP_DATA=${SHOP_DATA:-$root/.shop}

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Stops with one line when there is no Swift toolchain, or one that is too old.
need_swift() {
  local get="get one from https://www.swift.org/install" version
  command -v swift >/dev/null || fail "The Swift toolchain is missing; $get and put it on the PATH."
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
  [[ -n $version ]] || fail "The Swift toolchain at $(command -v swift) does not run; $get."
  [[ $(printf '%s\n' 6.2 "$version" | sort -V | head -1) == 6.2 ]] \
    || fail "Swift $version is too old, 6.2 or newer is needed; $get."
}

# Runs a command as root, through sudo where that is needed.
as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi; }

# Brings the list of Debian's packages up to date. The first argument says what else to do where there is no apt-get, the
# second what to run where only root may.
update_packages() {
  command -v apt-get >/dev/null || fail "$1"
  [[ $EUID -eq 0 ]] || command -v sudo >/dev/null || fail "As root, run: $2"
  as_root apt-get update -qq
}

# Installs Debian packages. The first argument says what else to do where there is no apt-get.
install_packages() {
  local otherwise=$1
  shift
  say "Installing $*"
  update_packages "$otherwise" "apt-get install $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The development files of the system libraries, which macOS has in its SDK.
need_libraries() {
  [[ $(uname) == Darwin ]] && return
  pkg-config --exists sqlite3 libcurl zlib 2>/dev/null && return
  install_packages \
    "Install pkg-config and the development files of SQLite, libcurl and zlib with your package manager, and try again." \
    libsqlite3-dev libcurl4-openssl-dev zlib1g-dev pkg-config
}

# libpq, for programs that are built with PostgreSQL.
need_libpq() {
  [[ $(uname) == Darwin ]] || pkg-config --exists libpq 2>/dev/null \
    || install_packages "Install libpq's development files with your package manager, and try again." libpq-dev
}

# The folder of PostgreSQL's server programs, which Debian keeps beside the PATH.
postgres_programs() {
  local folder programs=
  for folder in "$(dirname "$(command -v initdb || echo /)")" /usr/lib/postgresql/*/bin; do
    [[ ! -x $folder/initdb || ! -x $folder/postgres ]] || programs=$folder
  done
  [[ -n $programs ]] && printf '%s\n' "$programs"
}

need_postgres() {
  local settings=/etc/postgresql-common/createcluster.d
  postgres_programs >/dev/null && return
  # Debian's package would make a server of the system's own, and start it.
  if command -v apt-get >/dev/null; then
    as_root mkdir -p "$settings"
    as_root tee "$settings/without-main.conf" <<<'create_main_cluster = false' >/dev/null
  fi
  # The setting goes again, also if this fails, which is said below.
  install_packages "Install the PostgreSQL server with your package manager, and try again." postgresql || true
  as_root rm -f "$settings/without-main.conf"
  postgres_programs >/dev/null \
    || fail "The programs initdb and postgres are missing; put them on the PATH, and try again."
}

# The programs of the package, as its manifest names them.
programs() { sed -n 's/^ *\.executable(name: "\([a-z]*\)".*/\1/p' "$root/Package.swift"; }

# Where the programs are built, and how.
build=$root/.build
traits=()

# From here on programs with PostgreSQL are meant. They have a folder of their own, so that the others stay as they are.
choose_postgres() {
  need_libpq
  build=$root/.build/postgres
  traits=(--traits PostgreSQL)
}

# Builds all programs, or the one named, in release. What it prints goes to standard error, so that what is run afterwards
# has standard output for itself. SwiftPM takes a product at a time, and a second or two even where there is nothing to
# do, so that nothing is asked of it while no source has changed.
build_release() {
  local only=${1:-} stamp=$build/release/built draft=$build/release-built program
  # The runtime is linked in: a program runs where there is no toolchain, and takes less memory.
  local options=(--static-swift-stdlib)
  [[ $(uname) != Darwin ]] || options=()
  if [[ -z $only && -e $stamp && $(<"$stamp") == "$(swift --version 2>/dev/null)" ]]; then
    (cd "$root" && find Package.swift Services Shared deploy/cli -newer "$stamp" -print -quit) | grep -q . || return 0
  fi
  mkdir -p "$build"
  swift --version 2>/dev/null >"$draft"
  for program in ${only:-$(programs)}; do
    (cd "$root" && swift build -c release --scratch-path "$build" --product "$program" \
      ${traits[@]+"${traits[@]}"} ${options[@]+"${options[@]}"}) >&2
  done
  # Whoever builds at the same time makes the stamp of the same draft.
  [[ -n $only || ! -e $draft && -e $stamp ]] || mv "$draft" "$stamp"
}
