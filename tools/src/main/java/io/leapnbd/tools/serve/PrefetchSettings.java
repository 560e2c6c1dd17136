package io.leapnbd.tools.serve;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import java.util.Map;
import picocli.CommandLine.TypeConversionException;

/**
 * What is prefetched, and into how large a cache. They are written as settings of a name and a value, the same for the options
 * of {@code serve} and for {@code set}.
 *
 * @param policy decides what to fetch
 * @param leap history, split and largest window, for the policies that have them
 * @param cacheSize bytes that the cache may use
 * @param cacheLimit bytes that it was given at the start, and cannot grow above
 */
public record PrefetchSettings(PrefetchPolicy policy, LeapSettings leap, long cacheSize, long cacheLimit) {

    /** Name of the setting that chooses the policy. */
    static final String POLICY = "prefetch";

    /** Name of the setting for the deltas that are remembered. */
    static final String HISTORY = "history";

    /** Name of the setting for the part of the history that is looked at first. */
    static final String SPLIT = "split";

    /** Name of the setting for the most pages to prefetch at once. */
    static final String MAX_WINDOW = "max-window";

    /** Name of the setting for the cache's bytes. */
    static final String CACHE_SIZE = "cache-size";

    private static final String NAMES = String.join(
            ", ", POLICY, HISTORY, SPLIT, MAX_WINDOW, CACHE_SIZE, SettingsControl.LOG_LEVEL, DonorSettings.NAMES);

    /** What a server has unless told otherwise. */
    public static final PrefetchSettings DEFAULT =
            new PrefetchSettings(PrefetchPolicy.ADAPTIVE, LeapSettings.PUBLISHED, 16L << 20, 16L << 20);

    /**
     * These with some changed.
     *
     * @param changes values by the settings' names
     * @throws IllegalArgumentException in one sentence, if one of them is wrong or the result is
     */
    PrefetchSettings with(Map<String, String> changes) {
        PrefetchPolicy newPolicy = policy;
        int history = leap.history();
        int split = leap.split();
        int maxWindow = leap.maxWindow();
        long size = cacheSize;
        for (Map.Entry<String, String> change : changes.entrySet()) {
            String name = change.getKey();
            String value = change.getValue();
            switch (name) {
                case POLICY -> newPolicy = PrefetchPolicy.of(value);
                case HISTORY -> history = number(name, value);
                case SPLIT -> split = number(name, value);
                case MAX_WINDOW -> maxWindow = number(name, value);
                case CACHE_SIZE -> size = size(value);
                default ->
                    throw new IllegalArgumentException("no setting is called '" + name + "'; there are " + NAMES);
            }
        }
        return new PrefetchSettings(newPolicy, new LeapSettings(history, split, maxWindow), size, cacheLimit).checked();
    }

    private PrefetchSettings checked() {
        if (cacheSize < Protocol.PAGE_SIZE || cacheSize % Protocol.PAGE_SIZE != 0) {
            throw new IllegalArgumentException(
                    CACHE_SIZE + ": " + Size.format(cacheSize) + " is not a multiple of 4K above zero");
        }
        if (cacheSize > cacheLimit) {
            throw new IllegalArgumentException(CACHE_SIZE + ": " + Size.format(cacheSize) + " is more than the "
                    + Size.format(cacheLimit) + " that the cache was given at the start; give less, or start the server"
                    + " with --cache-limit " + Size.format(cacheSize));
        }
        return this;
    }

    private static int number(String name, String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + ": '" + value + "' is not a whole number", e);
        }
    }

    private static long size(String value) {
        try {
            return Size.parse(value).bytes();
        } catch (TypeConversionException e) {
            throw new IllegalArgumentException(CACHE_SIZE + ": " + e.getMessage(), e);
        }
    }

    /** Puts them into an open JSON object. */
    void putInto(Json json) {
        json.put("policy", policy.label())
                .put("history", leap.history())
                .put("split", leap.split())
                .put("max_window", leap.maxWindow())
                .put("cache_size", cacheSize)
                .put("cache_limit", cacheLimit);
    }

    /** As {@code set} takes them. */
    @Override
    public String toString() {
        return POLICY + "=" + policy.label() + " " + HISTORY + "=" + leap.history() + " " + SPLIT + "=" + leap.split()
                + " " + MAX_WINDOW + "=" + leap.maxWindow() + " " + CACHE_SIZE + "=" + Size.format(cacheSize);
    }
}
