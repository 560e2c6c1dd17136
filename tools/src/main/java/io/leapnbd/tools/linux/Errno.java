package io.leapnbd.tools.linux;

/** The error numbers that are told apart here; the same on x86-64 and aarch64. */
public final class Errno {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int ESRCH = 3;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int ENOEXEC = 8;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EBUSY = 16;
    public static final int EINVAL = 22;
    public static final int ENOSPC = 28;
    public static final int EPIPE = 32;
    public static final int ENOSYS = 38;
    public static final int ENOBUFS = 105;
    public static final int ECONNRESET = 104;
    public static final int ETIMEDOUT = 110;
    public static final int ECONNREFUSED = 111;
    public static final int EHOSTUNREACH = 113;
    public static final int EINPROGRESS = 115;

    private Errno() {}

    /** What the number means, in words; the number itself for one that is not told apart here. */
    public static String describe(int errno) {
        return switch (errno) {
            case EPERM -> "operation not permitted";
            case ENOENT -> "no such file or directory";
            case ESRCH -> "no such process";
            case EINTR -> "interrupted";
            case EIO -> "input/output error";
            case ENOEXEC -> "not an executable format";
            case EAGAIN -> "temporarily unavailable";
            case ENOMEM -> "not enough memory";
            case EACCES -> "permission denied";
            case EBUSY -> "busy";
            case EINVAL -> "invalid argument";
            case ENOSPC -> "no space left";
            case EPIPE -> "broken pipe";
            case ENOSYS -> "not supported by this kernel";
            case ENOBUFS -> "no buffer space";
            case ECONNRESET -> "connection reset";
            case ETIMEDOUT -> "timed out";
            case ECONNREFUSED -> "connection refused";
            case EHOSTUNREACH -> "no route to host";
            case EINPROGRESS -> "in progress";
            default -> "error number " + errno;
        };
    }
}
