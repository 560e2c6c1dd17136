package io.leapnbd.prefetch.push;

import io.leapnbd.prefetch.LeapSettings;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * How to push for a process.
 *
 * @param policy what says which pages come next
 * @param leap H, N_split and PW_max of the policy {@code leap}
 */
public record PushSettings(Policy policy, LeapSettings leap) {

    /** What is pushed with unless somebody says otherwise. */
    public static final PushSettings DEFAULT = new PushSettings(Policy.ADAPTIVE, LeapSettings.PUBLISHED);

    /** The policies by the names that people give them. */
    public enum Policy {
        /** Watch and count, push nothing. */
        OFF,
        /** Leap as published: one history, one trend, one window for each process. */
        LEAP,
        /** Streams told apart, each with a lead that follows its pace. */
        ADAPTIVE;

        /** As on the command line. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /**
         * The policy of this name.
         *
         * @throws IllegalArgumentException in one sentence for people
         */
        public static Policy parse(String label) {
            for (Policy policy : values()) {
                if (policy.label().equals(label)) {
                    return policy;
                }
            }
            throw new IllegalArgumentException("there is no push policy \"" + label + "\"; there are "
                    + Arrays.stream(values()).map(Policy::label).collect(Collectors.joining(", ")));
        }
    }
}
