package io.leapnbd.tools.reproduce;

import java.util.LinkedHashMap;
import java.util.Map;

/** The ways of running a program that tools/bench/swap has, by its names. */
final class Modes {

    /** The kernel's own read-ahead, and nothing else. */
    static final String DEFAULT = "default";

    /** Those that are measured, as the benchmark takes them. */
    static final String MEASURED = "default,server-3,push,both";

    /** What the page calls each. */
    static final Map<String, String> NAMES = names();

    private Modes() {}

    private static Map<String, String> names() {
        Map<String, String> names = new LinkedHashMap<>();
        names.put(DEFAULT, "default");
        names.put("server-3", "server");
        names.put("server", "server, page-cluster 0");
        names.put("push", "push");
        names.put("push-3", "push, page-cluster 3");
        names.put("both", "both");
        names.put("both-3", "both, page-cluster 3");
        return names;
    }

    static String name(String mode) {
        return NAMES.getOrDefault(mode, mode);
    }

    /** The style sheet's class of its colour. */
    static String style(String mode) {
        if (mode.equals(DEFAULT)) {
            return "c-default";
        }
        return mode.startsWith("server") ? "c-server" : mode.startsWith("push") ? "c-push" : "c-both";
    }

    /** Whether pages are pushed into the swap cache, as Leap does. */
    static boolean isPush(String mode) {
        return mode.startsWith("push") || mode.startsWith("both");
    }
}
