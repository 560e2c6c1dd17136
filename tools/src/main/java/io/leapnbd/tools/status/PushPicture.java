package io.leapnbd.tools.status;

import io.leapnbd.tools.cli.Table;
import java.util.Locale;

/** What {@code top} shows of an agent that pushes. */
final class PushPicture {

    private static final String RECORDS = "leap_push_records_total";

    private PushPicture() {}

    /** Whether these are an agent's figures. */
    static boolean fits(Sample sample) {
        return sample.values().containsKey(RECORDS);
    }

    /** One picture, ending with a line feed. {@code address}: the endpoint's. */
    static String of(String address, Sample before, Sample now) {
        StringBuilder out = new StringBuilder(String.format(
                Locale.ROOT,
                "http://%s  push  %,.0f records a second, %,.0f lost  %,.0f pages announced a second%n%n",
                address,
                now.rate(before, RECORDS),
                now.value("leap_push_records_lost_total"),
                now.rate(before, "leap_push_announced_total")));
        Table table = new Table(
                "process",
                "faults/s",
                "major/s",
                "pushed/s",
                "hits/s",
                "coverage",
                "accuracy",
                "waiting",
                "lead",
                "stride");
        for (String pid : now.labels("leap_push_faults_total", "pid")) {
            double hits = rate(before, now, "hits", pid);
            double major = rate(before, now, "major", pid);
            double wasted = rate(before, now, "evicted", pid) + rate(before, now, "unused", pid);
            table.row(
                    pid,
                    whole(rate(before, now, "faults", pid)),
                    whole(major),
                    whole(rate(before, now, "pushed", pid)),
                    whole(hits),
                    percent(hits, hits + major),
                    percent(hits, hits + wasted),
                    whole(now.value("leap_push_waiting" + label(pid))),
                    whole(now.value("leap_push_lead" + label(pid))),
                    whole(now.value("leap_push_trend" + label(pid))));
        }
        return out.append(table).toString();
    }

    private static double rate(Sample before, Sample now, String figure, String pid) {
        return now.rate(before, "leap_push_" + figure + "_total" + label(pid));
    }

    private static String label(String pid) {
        return "{pid=\"" + pid + "\"}";
    }

    private static String percent(double part, double whole) {
        return whole <= 0 ? "-" : String.format(Locale.ROOT, "%.0f %%", 100 * part / whole);
    }

    private static String whole(double value) {
        return String.format(Locale.ROOT, "%,.0f", value);
    }
}
