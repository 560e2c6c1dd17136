# Sourced by ./leap-nbd and by an installed copy: folders of builds or versions that stand side by side, of which a link 'current'
# names the one that is started from now on. What runs keeps the folder that it was started from. POSIX sh; defines functions only.

# Whether a process of this machine was started from below this folder.
in_use() {
  # The pattern is no argument: grep would find itself.
  printf '%s/\n' "$1" | grep -qsF -f - /proc/[0-9]*/cmdline
}

# Lets the link $1 name the folder $2, which is beside it: all at once, so that whoever starts finds the old one or the new one.
switch_to() {
  ln -sfn "$2" "$1.$$" && mv -T "$1.$$" "$1"
}

# Removes those of the given folders that nothing runs from; prints those that it leaves.
remove_unused() {
  for one in "$@"; do
    [ -d "$one" ] || continue
    if in_use "$one"; then
      echo "$one"
    else
      rm -rf "$one"
    fi
  done
}
