# Sourced by ./leap-nbd and tools/package. POSIX sh; defines a function only.

# Prints what 'leap-nbd --version' says of the checkout $1: its commit, and whether files differ from that; nothing if there is none.
commit_of() {
  hash=$(git -C "$1" rev-parse --short=9 HEAD 2>/dev/null) || return 0
  [ -z "$(git -C "$1" status --porcelain --untracked-files=no 2>/dev/null)" ] || hash=$hash.changed
  echo "+$hash"
}
