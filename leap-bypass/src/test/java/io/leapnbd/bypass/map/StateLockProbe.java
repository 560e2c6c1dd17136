package io.leapnbd.bypass.map;

import java.nio.file.Files;
import java.nio.file.Path;

/** A process that takes and gives back a lock, many times, and says how often two had it at once. */
final class StateLockProbe {

    /** In place of a number: it tries once, and says whether it was {@link #REFUSED}. */
    static final String ONCE = "once";

    static final String REFUSED = "refused";

    private StateLockProbe() {}

    /** The lock's file and how often to take it; prints how often another process was met inside. */
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        Path inside = file.resolveSibling("inside");
        int met = 0;
        boolean once = arguments[1].equals(ONCE);
        for (int left = once ? 1 : Integer.parseInt(arguments[1]); left > 0; ) {
            try (StateLock lock = StateLock.take(file)) {
                if (lock == null && once) {
                    System.out.println(REFUSED);
                    return;
                }
                if (lock == null) {
                    Thread.onSpinWait();
                    continue;
                }
                left--;
                if (Files.exists(inside)) {
                    met++;
                } else {
                    Files.createFile(inside);
                    Files.delete(inside);
                }
            }
        }
        System.out.println(met);
    }
}
