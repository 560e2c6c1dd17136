# Sourced by ./leap-nbd, by the launcher of an installed copy and by train.sh: becomes the JVM of a command (same process, so signals
# and the process id are the JVM's). POSIX sh, with jvm.sh; defines functions only.
#
# What runs is a folder DIST: DIST/lib has the jars, and beside it are the AOT caches, which may be missing.

# A cache fits one build of one runtime, $1. Donors have one of their own: what is in it stays in memory, needed or not.
name_caches() {
  sum=$(cksum <"$1/release" | tr -dc 0-9)
  serve_aot=$2/serve-$sum.aot
  donor_aot=$2/donor-$sum.aot
}

# The donor module stands in for DiSNI's native half with a class of the same name, which has to come before DiSNI's own
# (unless LEAP_NBD_LIBDISNI names the folder of a real libdisni.so). $1 is the folder of jars.
set_class_path() {
  class_path=
  first=donor
  [ -z "${LEAP_NBD_LIBDISNI:-}" ] || first=disni
  for jar in "$1/$first"-*.jar "$1"/*.jar; do
    class_path=$class_path${class_path:+:}$jar
  done
}

# Becomes the JVM. launch RUNTIME DIST LAUNCHER COMMAND…: RUNTIME is a JDK or a runtime made from one, and LAUNCHER what starts
# further processes of leap-nbd.
launch() {
  runtime=$1 dist=$2 launcher=$3
  shift 3
  case $(readlink /proc/self/cwd) in
    *' (deleted)')
      echo "leap-nbd: the folder that this was started in is gone; cd to one that exists" >&2
      exit 1
      ;;
  esac
  name_caches "$runtime" "$dist"
  set_class_path "$dist/lib"
  guarded=no
  aot=$serve_aot
  case ${1:-} in
    serve)
      # The C library's heap, which the compilers use, keeps what it has, so that nothing has to be found for it later.
      export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824
      guarded=yes
      ;;
    attach)
      # Of a server's archive it would have 30 MiB in memory. Where the runtime has one of its own, that is enough, and a second slower.
      export MALLOC_ARENA_MAX=1
      guarded=yes
      [ ! -e "$runtime/lib/server/classes_coh.jsa" ] || aot=
      ;;
    # Not guarded. The kernel pages out on its thread to make room for what it pushes, which an IO flusher may not.
    push) export MALLOC_ARENA_MAX=1 ;;
    donor) aot=$donor_aot ;;
  esac
  flags=$(jvm_flags "${1:-}" "${LEAP_NBD_HEAP:-}")
  [ -e "$aot" ] && [ -z "${LEAP_NBD_LIBDISNI:-}" ] || aot=
  # The paths may hold spaces; the flags do not.
  # shellcheck disable=SC2086
  set -- "$runtime/bin/java" $flags ${LEAP_NBD_LIBDISNI:+"-Dleapnbd.libdisni=true" "-Djava.library.path=$LEAP_NBD_LIBDISNI"} \
    ${LEAP_NBD_JAVA_OPTS:-} ${aot:+"-XX:AOTCache=$aot"} "-Dleapnbd.launcher=$launcher" -cp "$class_path" io.leapnbd.tools.LeapNbd "$@"
  [ -z "${LEAP_NBD_VERBOSE:-}" ] || echo "leap-nbd: $*" >&2

  # What a process in the swap path needs before it is a JVM, because it is inherited by threads and kept over exec. What
  # fails here is checked and reported by the JVM, with the remedy.
  if [ $guarded = yes ]; then
    ulimit -l unlimited 2>/dev/null || ulimit -l "$(ulimit -H -l)" 2>/dev/null
    if [ "$(id -u)" = 0 ]; then
      # PR_SET_IO_FLUSHER is prctl 57; the number is that of the system call prctl.
      case $(uname -m) in
        x86_64) prctl=157 ;;
        aarch64) prctl=167 ;;
        *) prctl= ;;
      esac
      if [ -n "$prctl" ] && command -v perl >/dev/null; then
        exec perl -e '
          syscall(shift(@ARGV) + 0, 57, 1, 0, 0, 0);
          exec { $ARGV[0] } @ARGV or die "leap-nbd: cannot start $ARGV[0]: $!\n";
        ' -- "$prctl" "$@"
      fi
    fi
  fi
  exec "$@"
}
