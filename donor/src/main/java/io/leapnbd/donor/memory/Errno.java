package io.leapnbd.donor.memory;

/** Error numbers that the calls on memory answer with (x86-64 and arm64 Linux). */
final class Errno {

    static final int EPERM = 1;
    static final int EAGAIN = 11;
    static final int ENOMEM = 12;
    static final int EFAULT = 14;
    static final int EINVAL = 22;

    private Errno() {}

    static String describe(int errno) {
        return switch (errno) {
            case EPERM -> "not permitted (EPERM)";
            case EAGAIN -> "try again (EAGAIN)";
            case ENOMEM -> "not enough memory or limit reached (ENOMEM)";
            case EFAULT -> "bad address (EFAULT)";
            case EINVAL -> "invalid argument (EINVAL)";
            default -> "error number " + errno;
        };
    }
}
