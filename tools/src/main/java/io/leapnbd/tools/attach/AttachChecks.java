package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.Durations;
import java.time.Duration;

/** What numbers a device can be set up with. Each of these throws {@link IllegalArgumentException} in a sentence that names the option. */
final class AttachChecks {
    private static final int HIGHEST_PRIORITY = 32767;
    private static final int MOST_CONNECTIONS = 64;
    private static final int LARGEST_CLUSTER = 9;
    private static final int LONGEST_SECONDS = 86_400;

    private AttachChecks() {}

    static void connections(String option, int value) {
        check(value >= 1 && value <= MOST_CONNECTIONS, option + " is " + value + "; use 1 to " + MOST_CONNECTIONS);
    }

    static void priority(String option, int value) {
        check(value >= 0 && value <= HIGHEST_PRIORITY, option + " is " + value + "; use 0 to " + HIGHEST_PRIORITY);
    }

    static void pageCluster(String option, int value) {
        check(value >= 0 && value <= LARGEST_CLUSTER, option + " is " + value + "; use 0 to " + LARGEST_CLUSTER);
    }

    /** The same time in seconds. */
    static int seconds(String option, Duration value) {
        check(
                value.toSeconds() >= 1 && value.toSeconds() <= LONGEST_SECONDS,
                option + " is " + Durations.format(value) + "; use 1s to 24h");
        return (int) value.toSeconds();
    }

    private static void check(boolean right, String otherwise) {
        if (!right) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
