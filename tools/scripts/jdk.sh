# Sourced by ./leap-nbd and ./test: finds a JDK 25 and installs Debian packages. POSIX sh; defines functions only.

# Prints the folder of a JDK 25: JAVA_HOME if it is one, else the first in the usual folders. Fails when there is none.
find_jdk() {
  for candidate in "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/* /opt/java/* /usr/local/* "${HOME:-/root}"/.sdkman/candidates/java/* \
    "${HOME:-/root}"/.jdks/*; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/javac" ] && [ -r "$candidate/release" ] || continue
    if grep -q '^JAVA_VERSION="25[."]' "$candidate/release"; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# Says how to get a JDK 25; $1 is the program that needs it.
say_no_jdk() {
  echo "$1: no JDK 25 in JAVA_HOME, /usr/lib/jvm, /opt, /usr/local, ~/.sdkman or ~/.jdks; unpack one from" \
    "https://adoptium.net/temurin/releases/?version=25 into /opt, or set JAVA_HOME to yours" >&2
}

installed() {
  [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

# Prints those of the given Debian packages that are not installed. Libraries may have the name that they were given when time_t
# became 64 bits wide (Ubuntu 24.04); packages of that name provide the old one.
missing_packages() {
  for package in "$@"; do
    installed "$package" || installed "${package}t64" || printf '%s ' "$package"
  done
}

# Installs the given Debian packages if they are missing: as root through apt-get; else says which are missing and fails.
# $1 is the program that needs them.
need_packages() {
  program=$1
  shift
  missing=$(missing_packages "$@")
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$program: missing Debian packages; run: sudo apt-get install $missing" >&2
    return 1
  fi
  echo "$program: installing $missing" >&2
  apt_log=$(mktemp) || return 1
  # shellcheck disable=SC2086 # a list of names
  if DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >"$apt_log" 2>&1 ||
    { apt-get -q update >"$apt_log" 2>&1 &&
      DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >>"$apt_log" 2>&1; }; then
    rm -f "$apt_log"
    return 0
  fi
  tail -n 5 "$apt_log" >&2
  rm -f "$apt_log"
  echo "$program: apt-get could not install $missing" >&2
  return 1
}
