package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PrefetchPolicy;

/** One colour a policy, the same in every picture; the project's own policy stands out. */
final class PolicyColours {

    private PolicyColours() {}

    static String of(PrefetchPolicy policy) {
        return switch (policy) {
            case NONE -> "#9aa3b2";
            case NEXT_N -> "#b98a2f";
            case STRIDE -> "#16805a";
            case READAHEAD -> "#5b8def";
            case GHB -> "#8446b8";
            case LEAP -> "#c2501b";
            case LEAP_KERNEL -> "#e3937a";
            default -> "#d0103a";
        };
    }
}
