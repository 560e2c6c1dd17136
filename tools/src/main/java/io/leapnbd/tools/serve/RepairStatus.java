package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.map.LostRanges;
import io.leapnbd.bypass.path.RepairProgress;
import io.leapnbd.bypass.path.RepairProgress.Left;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How far repair and moves are, and which parts of the device are lost. Repair makes copies that are missing, moves bring copies to other donors.
 *
 * @param repair copies that are missing
 * @param moves copies that are to go to other donors
 * @param failing slabs whose last fill failed
 * @param whyFailing why that of one of them did; empty if there is none
 * @param lost what is lost now
 */
record RepairStatus(Left repair, Left moves, int failing, String whyFailing, LostRanges lost) {

    /** Ranges that the text tells. */
    private static final int RANGES_IN_TEXT = 32;

    /** Ranges that the JSON tells. */
    private static final int RANGES_IN_JSON = 1_000;

    private static final Left NOTHING = new Left(0, 0, 0);

    static RepairStatus of(RemoteDevice device) {
        RepairProgress progress = device.repairProgress();
        LostRanges lost = LostRanges.of(device.map(), RANGES_IN_JSON);
        return progress == null
                ? new RepairStatus(NOTHING, NOTHING, 0, "", lost)
                : new RepairStatus(
                        progress.repair(), progress.moves(), progress.failing(), progress.whyFailing(), lost);
    }

    void putInto(Json json) {
        put(json, "repair", repair);
        json.put("slabs_failing", failing).put("last_failure", whyFailing).endObject();
        put(json, "moves", moves);
        json.endObject()
                .object("lost")
                .put("bytes", lost.bytes())
                .put("ranges_in_all", lost.count())
                .put("ranges_limit", RANGES_IN_JSON)
                .array("ranges");
        for (LostRanges.Range range : lost.first()) {
            json.object()
                    .put("offset", range.offset())
                    .put("length", range.length())
                    .endObject();
        }
        json.endArray().endObject();
    }

    private static void put(Json json, String name, Left left) {
        json.object(name)
                .put("slabs_left", left.slabs())
                .put("bytes_left", left.bytes())
                .put("bytes_per_second", left.bytesASecond());
        if (left.seconds() < 0) {
            json.putNull("seconds_left");
        } else {
            json.put("seconds_left", left.seconds());
        }
    }

    /** Some lines, each with a line feed, and one before; empty if there is nothing to say. */
    String text() {
        StringBuilder out = new StringBuilder();
        line(out, "repair", repair);
        line(out, "moves", moves);
        if (failing > 0) {
            out.append("  not filled for now: ").append(failing).append(failing == 1 ? " slab" : " slabs");
            out.append(", because ").append(whyFailing).append('\n');
        }
        if (lost.count() > 0) {
            out.append("lost: ").append(Size.approximate(lost.bytes())).append(" in ");
            out.append(lost.count())
                    .append(lost.count() == 1 ? " range" : " ranges")
                    .append(", as offset+bytes\n");
            List<LostRanges.Range> told = lost.first();
            for (int i = 0; i < Math.min(RANGES_IN_TEXT, told.size()); i++) {
                out.append("  ")
                        .append(told.get(i).offset())
                        .append('+')
                        .append(told.get(i).length())
                        .append('\n');
            }
            if (lost.count() > RANGES_IN_TEXT) {
                out.append("  and ").append(lost.count() - RANGES_IN_TEXT).append(" more; --json tells ");
                out.append(RANGES_IN_JSON).append('\n');
            }
        }
        return out.isEmpty() ? "" : "\n" + out;
    }

    private static void line(StringBuilder out, String name, Left left) {
        if (left.slabs() > 0) {
            out.append(name).append(": ").append(words(left)).append('\n');
        }
    }

    /** What is left, in words. */
    static String words(Left left) {
        return left.slabs()
                + (left.slabs() == 1 ? " copy to make, " : " copies to make, ")
                + Size.approximate(left.bytes())
                + ", "
                + Size.approximate(left.bytesASecond())
                + "/s, "
                + timeLeft(left.seconds());
    }

    private static String timeLeft(long seconds) {
        return seconds < 0 ? "stands still" : Durations.format(Duration.ofSeconds(seconds)) + " left";
    }

    /** A sentence about what keeps it from going on; null if nothing does. */
    @Nullable
    String complaint() {
        return failing == 0 ? null : failing + " slabs cannot be filled again for now: " + whyFailing;
    }
}
