package io.leapnbd.tools.replay;

/** One colour a policy, the same in every picture; the project's own policy stands out. */
final class PolicyColours {

    /** Of policies that are not the project's, by their name. */
    private static final String[] OTHERS = {"#0b7285", "#5c940d", "#862e9c", "#5f3dc4", "#495057"};

    private PolicyColours() {}

    static String of(String policy) {
        return switch (policy) {
            case "none" -> "#9aa3b2";
            case "next-n" -> "#b98a2f";
            case "stride" -> "#16805a";
            case "readahead" -> "#5b8def";
            case "ghb" -> "#8446b8";
            case "leap" -> "#c2501b";
            case "leap-kernel" -> "#e3937a";
            case "adaptive" -> "#d0103a";
            default -> OTHERS[Math.floorMod(policy.hashCode(), OTHERS.length)];
        };
    }
}
