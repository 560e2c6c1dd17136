# Sourced by ./leap-nbd: the JVM's flags, here and nowhere else. POSIX sh; defines functions only.

# Prints the flags of a command; $1 is its name, $2 the JVM's heap in MiB if it is to be another than the usual one.
#
# No processors are counted here, and no option is read: the usual heap holds what a command needs at its defaults on any
# machine. A command that needs more, for its event loops, its slabs or its cache, finds that out itself, in the one place
# that counts (HeapNeed), and is started once more with LEAP_NBD_HEAP.
jvm_flags() {
  # The JVM's own warnings go to standard error, since standard output begins with the ready line. A cache that does not fit,
  # because this folder was copied, is no news: without it everything starts a second later.
  common='-XX:+UseSerialGC -XX:+UseCompactObjectHeaders -XX:-UsePerfData
    -Xlog:disable -Xlog:all=warning:stderr -Xlog:aot*=off:stderr -Xlog:cds*=off:stderr
    --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow --add-exports=java.base/sun.nio.ch=ALL-UNNAMED'

  # A process that stays: a fixed heap, which is there from the start because it is locked (AlwaysPreTouch would also give each
  # process a copy of the whole class archive, and relocating the archive a copy of what is used of it). Pages do not live on
  # the heap; it holds connections, request records and histograms. Only a server collects garbage on demand: once, by itself.
  # What methods did in training is not there to be replayed, and the thread for it has a stack.
  # Netty's search for leaked buffers is for tests: it notes where every 128th buffer was taken. Its events for the flight
  # recorder, which nobody turns on here, bring in the recorder.
  # The JVM writes its own warnings on a thread of its own: whoever reads them may be swapped out, to this very process.
  # Direct memory is bounded by the budgets of buffers (and by what is there), not by the JVM, which would make a loop wait.
  resident="$common -Dio.netty.leakDetection.level=disabled -Dio.netty.jfr.enabled=false -XX:+UnlockDiagnosticVMOptions
    -XX:ArchiveRelocationMode=0 -XX:-AOTReplayTraining -XX:+ExitOnOutOfMemoryError
    -Xlog:async -XX:AsyncLogBufferSize=102400"
  case $1 in
    # The code cache is there from the start, so that nothing has to be found for it when there is no memory left. So is what the
    # compilers need (NativeHeap), which is bounded: methods are inlined until a compilation has so many nodes, and one that
    # takes more than 6 MiB all the same is left to the first compiler. Half of the heap's need does not change once a
    # server is warm, so its young generation is small. docs/memory.md says what each part takes.
    serve)
      heap=${2:-22}
      echo "$resident -Xms${heap}m -Xmx${heap}m -Xmn4m -Xss320k -XX:MaxDirectMemorySize=64g
        -XX:InitialCodeCacheSize=8m -XX:ReservedCodeCacheSize=8m
        -XX:LiveNodeCountInliningCutoff=6000 -XX:CompileCommand=quiet -XX:CompileCommand=MemLimit,*.*,6m~stop"
      ;;
    donor)
      heap=${2:-32}
      echo "$resident -XX:+DisableExplicitGC -Xms${heap}m -Xmx${heap}m -Xss512k -XX:MaxDirectMemorySize=64g -XX:ReservedCodeCacheSize=32m"
      ;;
    # An agent has few threads, and little to compile.
    push)
      echo "$resident -XX:+DisableExplicitGC -Xms16m -Xmx16m -Xss256k -XX:MaxDirectMemorySize=8m -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=8m"
      ;;
    # One that keeps a device connected has next to nothing to do. With --push it starts itself anew with more.
    attach)
      heap=${2:-8}
      echo "$resident -XX:+DisableExplicitGC -Xms${heap}m -Xmx${heap}m -Xmn2m -Xss256k -XX:MaxDirectMemorySize=8m -XX:TieredStopAtLevel=1
        -XX:InitialCodeCacheSize=1m -XX:ReservedCodeCacheSize=4m"
      ;;
    # What methods did in training is not kept: it would be locked with the rest, and a server is warm after some seconds.
    train) echo "$common -Dio.netty.jfr.enabled=false -Xmx64m -XX:MaxDirectMemorySize=64g -XX:+UnlockDiagnosticVMOptions -XX:-AOTRecordTraining" ;;
    *) echo "$common -Xmx256m -XX:TieredStopAtLevel=1" ;;
  esac
}
