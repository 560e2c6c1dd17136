package io.leapnbd.tools.cli;

import java.util.Collection;

/** Which name somebody may have meant: the one that the fewest slips of a finger away. */
public final class NearestName {

    private NearestName() {}

    /** {@code ; did you mean 'size'?}, or an empty text if no name is near. */
    public static String hint(String given, Collection<String> names) {
        String nearest = null;
        // A third of the letters may be wrong: beyond that it is another word.
        int least = Math.max(1, given.length() / 3) + 1;
        for (String name : names) {
            int distance = distance(given, name);
            if (distance < least) {
                least = distance;
                nearest = name;
            }
        }
        return nearest == null ? "" : "; did you mean '" + nearest + "'?";
    }

    /** Insertions, deletions, changes and swaps of neighbours that make one text another (optimal string alignment). */
    static int distance(String from, String to) {
        int[] beforeLast = new int[to.length() + 1];
        int[] last = new int[to.length() + 1];
        for (int t = 0; t <= to.length(); t++) {
            last[t] = t;
        }
        for (int f = 1; f <= from.length(); f++) {
            int[] row = new int[to.length() + 1];
            row[0] = f;
            for (int t = 1; t <= to.length(); t++) {
                int change = from.charAt(f - 1) == to.charAt(t - 1) ? 0 : 1;
                row[t] = Math.min(last[t - 1] + change, Math.min(last[t], row[t - 1]) + 1);
                if (f > 1
                        && t > 1
                        && from.charAt(f - 1) == to.charAt(t - 2)
                        && from.charAt(f - 2) == to.charAt(t - 1)) {
                    row[t] = Math.min(row[t], beforeLast[t - 2] + 1);
                }
            }
            beforeLast = last;
            last = row;
        }
        return last[to.length()];
    }
}
