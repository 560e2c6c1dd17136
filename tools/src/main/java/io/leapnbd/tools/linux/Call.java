package io.leapnbd.tools.linux;

/** The system calls that are used here, with their numbers on the two architectures that are supported. */
enum Call {
    READ(0, 63),
    WRITE(1, 64),
    CLOSE(3, 57),
    MMAP(9, 222),
    MUNMAP(11, 215),
    MADVISE(28, 233),
    IOCTL(16, 29),
    PREAD64(17, 67),
    PPOLL(271, 73),
    RT_SIGACTION(13, 134),
    RT_SIGPROCMASK(14, 135),
    SOCKET(41, 198),
    CONNECT(42, 203),
    BIND(49, 200),
    SENDTO(44, 206),
    RECVFROM(45, 207),
    SHUTDOWN(48, 210),
    SETSOCKOPT(54, 208),
    GETSOCKOPT(55, 209),
    EXECVE(59, 221),
    KILL(62, 129),
    EVENTFD2(290, 19),
    SCHED_SETSCHEDULER(144, 119),
    SCHED_GETSCHEDULER(145, 120),
    MLOCK(149, 228),
    MLOCKALL(151, 230),
    MUNLOCKALL(152, 231),
    PRCTL(157, 167),
    SWAPON(167, 224),
    SWAPOFF(168, 225),
    GETTID(186, 178),
    PRLIMIT64(302, 261),
    OPENAT(257, 56),
    PERF_EVENT_OPEN(298, 241),
    PIDFD_OPEN(434, 434),
    CLOSE_RANGE(436, 436),
    PROCESS_MADVISE(440, 440),
    ;

    private static final boolean AARCH64 = "aarch64".equals(System.getProperty("os.arch"));

    private final int x86;
    private final int aarch64;

    Call(int x86, int aarch64) {
        this.x86 = x86;
        this.aarch64 = aarch64;
    }

    int number() {
        return AARCH64 ? aarch64 : x86;
    }

    /** The name as the manual pages have it. */
    String label() {
        return switch (this) {
            case PPOLL -> "poll";
            case SENDTO -> "send";
            case RECVFROM -> "recv";
            case EVENTFD2 -> "eventfd";
            case PRLIMIT64 -> "prlimit";
            default -> name().toLowerCase(java.util.Locale.ROOT);
        };
    }
}
