package io.leapnbd.donor.verbs;

import io.leapnbd.donor.linux.NativeCalls;

/** What the functions of the libraries answer, checked. */
final class Answers {

    private Answers() {}

    /** Of a function that answers a pointer, and null with {@code errno} if it fails. */
    static long pointer(String function, long answer) throws VerbsException {
        if (answer == 0) {
            throw failure(function, NativeCalls.lastError());
        }
        return answer;
    }

    /** Of a function that answers a number below zero, with {@code errno}, if it fails. */
    static void notNegative(String function, int answer) throws VerbsException {
        if (answer < 0) {
            throw failure(function, NativeCalls.lastError());
        }
    }

    /** Of a function that answers the error itself. */
    static void noError(String function, int answer) throws VerbsException {
        if (answer != 0) {
            throw failure(function, Math.abs(answer));
        }
    }

    private static VerbsException failure(String function, int error) {
        String why = switch (error) {
            case 1 -> "not permitted";
            case 2, 19 -> "no such device";
            case 11, 12 -> "out of memory, or above the limit of locked memory (ulimit -l)";
            case 98 -> "the address is in use";
            case 99 -> "no RDMA device has this address";
            default -> "error " + error;
        };
        return new VerbsException(function + ": " + why);
    }
}
