package io.leapnbd.tools.registry;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a registry holds, from a list and the changes after it. A change that is older than what is known of its key counts for nothing, so changes may come twice, and
 * those from before a list too. For one thread.
 *
 * <p>A list replaces all that was known, even if its revision is lower: then somebody has brought back an older copy of the registry, and that is what it says now.
 */
final class RegistryView {

    private final TreeMap<String, String> values = new TreeMap<>();

    /** By key: the revision of its newest change, also of one that was removed after the list. */
    private final Map<String, Long> changed = new HashMap<>();

    private long listed;

    RegistryView() {}

    /**
     * Takes a list over.
     *
     * @param revision of the registry when it was made
     * @param all values by key
     */
    void list(long revision, Map<String, String> all) {
        listed = revision;
        values.clear();
        changed.clear();
        values.putAll(all);
    }

    /** A key has a value since a revision. Returns whether that was news. */
    boolean put(String key, String value, long revision) {
        return isNews(key, revision) && !value.equals(values.put(key, value));
    }

    /** A key is not there any more since a revision. Returns whether that was news. */
    boolean remove(String key, long revision) {
        return isNews(key, revision) && values.remove(key) != null;
    }

    private boolean isNews(String key, long revision) {
        if (revision <= Math.max(listed, changed.getOrDefault(key, 0L))) {
            return false;
        }
        changed.put(key, revision);
        return true;
    }

    /** The newest values, by key. */
    Map<String, String> values() {
        return Map.copyOf(values);
    }
}
