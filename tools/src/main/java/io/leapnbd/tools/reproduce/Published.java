package io.leapnbd.tools.reproduce;

import java.util.List;
import java.util.Map;

/**
 * What the paper printed (Al Maruf and Chowdhury, "Effectively Prefetching Remote Memory with Leap", ATC '20). Figure 7 prints no absolute
 * latencies. Its medians and Leap's 99th percentiles were read off its curves, within 15 %. The default's 99th percentiles are those times the
 * printed gains.
 */
final class Published {

    /** The machine that it was measured on. */
    static final String MACHINE = "Linux 4.4.125, two Xeon E5-2650v2, 64 GB, InfiniBand at 56 Gbit/s";

    private Published() {}

    /**
     * Figure 7, paging (D-VMM): latencies in microseconds and printed gains of Leap over the default.
     *
     * @param pattern as tools/bench/swap names it
     */
    record Touches(
            String pattern,
            String words,
            double defaultMedian,
            double leapMedian,
            double leapTail,
            double medianGain,
            double tailGain) {
        double defaultTail() {
            return leapTail * tailGain;
        }
    }

    static final List<Touches> FIGURE_7 = List.of(
            new Touches("seq", "sequential", 0.37, 0.10, 8.7, 4.07, 5.48),
            new Touches("s10", "stride 10", 8.8, 0.09, 9.5, 104.04, 22.06));

    /**
     * Table 2, one policy on one program.
     *
     * @param adds cache adds, millions
     * @param misses cache misses, millions
     * @param seconds time to completion
     * @param accuracy per cent
     * @param coverage per cent
     * @param earlyMillis timeliness, 95th percentile
     */
    record PolicyRow(
            double adds, double misses, double seconds, double accuracy, double coverage, double earlyMillis) {}

    /** Table 2's policies, by the names of ours that they are. */
    static final List<String> TABLE_2_POLICIES = List.of("next-n", "stride", "readahead", "leap");

    /**
     * A program of the paper, and which of our recordings stands for it.
     *
     * @param name as the paper has it
     * @param trace the recorded trace
     * @param program the program of tools/bench/swap
     * @param table its part of Table 2, by policy
     * @param defaultHalf Figure 9 with half of the memory: D-VMM, in the paper's unit
     * @param leapHalf the same with Leap
     * @param unit seconds, kTPS or kOPS; of the latter two more is better
     * @param caches Figure 10: without limit, 320, 32 and 3.2 MB, in that unit
     */
    record Program(
            String name,
            String trace,
            String program,
            Map<String, PolicyRow> table,
            double defaultHalf,
            double leapHalf,
            String unit,
            List<Double> caches) {

        /** How many times faster with Leap. */
        double gain() {
            return slowdown(leapHalf, defaultHalf);
        }

        /** How many times longer with a cache than without a limit. */
        double slowdown(int cache) {
            return slowdown(caches.getFirst(), caches.get(cache));
        }

        private double slowdown(double before, double after) {
            return unit.equals("s") ? after / before : before / after;
        }
    }

    static final List<Program> PROGRAMS = List.of(
            new Program(
                    "PowerGraph",
                    "pagerank",
                    "pagerank",
                    Map.of(
                            "next-n", new PolicyRow(4.88, 1.11, 684, 55.3, 70.9, 19.1),
                            "stride", new PolicyRow(3.88, 1.61, 886, 45.6, 52.3, .03),
                            "readahead", new PolicyRow(3.85, .26, 463, 45.1, 86.8, .39),
                            "leap", new PolicyRow(3.01, .15, 264, 44.6, 89.8, .07)),
                    214.6,
                    142.2,
                    "s",
                    List.of(143.2, 155.3, 158.5, 160.2)),
            new Program(
                    "NumPy",
                    "matrix",
                    "numpy",
                    Map.of(
                            "next-n", new PolicyRow(10.75, .13, 1410, 89.6, 95.8, 10.34),
                            "stride", new PolicyRow(10.52, .16, 1380, 89.4, 96.3, .02),
                            "readahead", new PolicyRow(10.61, .14, 1332, 89.2, 96.8, .24),
                            "leap", new PolicyRow(10.08, .12, 1241, 88.9, 98.6, .06)),
                    835.2,
                    660.2,
                    "s",
                    List.of(660.2, 726.1, 734.3, 739.6)),
            new Program(
                    "VoltDB",
                    "sqlite",
                    "sqlite",
                    Map.of(
                            "next-n", new PolicyRow(6.50, 1.53, 2017, 40.2, 61.2, 22_125),
                            "stride", new PolicyRow(6.23, 2.24, 2455, 39.5, 47.4, 34.3),
                            "readahead", new PolicyRow(5.91, .96, 2065, 39.9, 68.5, 64_315),
                            "leap", new PolicyRow(5.20, .90, 1800, 37.6, 71.0, 777)),
                    12.9,
                    35.6,
                    "kTPS",
                    List.of(35.6, 33.7, 31.6, 31.0)),
            new Program(
                    "Memcached",
                    "redis",
                    "redis",
                    Map.of(
                            "next-n", new PolicyRow(4.65, 1.44, 383, 41.8, 51.7, 32_418),
                            "stride", new PolicyRow(4.14, 1.39, 375, 42.1, 52.4, 467),
                            "readahead", new PolicyRow(4.06, 1.36, 367, 41.9, 56.9, 46_680),
                            "leap", new PolicyRow(3.25, .96, 302, 39.4, 57.6, 887)),
                    107,
                    119,
                    "kOPS",
                    List.of(119., 119., 118., 118.)));

    /** Figure 10's caches after the one without a limit, in MB. */
    static final List<Double> FIGURE_10_MB = List.of(320., 32., 3.2);
}
