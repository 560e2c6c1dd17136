package io.leapnbd.tools.http;

import io.leapnbd.tools.cli.Json;
import java.util.ArrayList;
import java.util.List;

/**
 * One thing that {@code status} and {@code doctor} say about who may do or see what.
 *
 * @param part what it is about, like {@code NBD tcp 127.0.0.1:10809}
 * @param holds whether nobody but users of this machine, and whom the operator has let in, may use it or read it on its way
 * @param detail how it is, for people
 */
public record SecurityLine(String part, boolean holds, String detail) {

    private static final String HELD = "ok";
    private static final String OPEN = "open";

    /** Adds all of them to a JSON document, as the array {@code security}. */
    public static void putInto(Json json, List<SecurityLine> all) {
        json.array("security");
        for (SecurityLine line : all) {
            json.object()
                    .put("part", line.part)
                    .put("holds", line.holds)
                    .put("detail", line.detail)
                    .endObject();
        }
        json.endArray();
    }

    /** All of them as a section of a page for people, with an empty line before it; empty if there are none. */
    public static String text(List<SecurityLine> all) {
        StringBuilder out = new StringBuilder();
        for (SecurityLine line : all) {
            out.append(out.isEmpty() ? "\nsecurity:\n" : "")
                    .append(String.format("  %-5s %s: %s%n", line.holds ? HELD : OPEN, line.part, line.detail));
        }
        return out.toString();
    }

    /** The page {@code /security}: a line each, with tabs between its parts. For {@link #parse}. */
    public static Answer page(List<SecurityLine> all) {
        StringBuilder out = new StringBuilder();
        for (SecurityLine line : all) {
            out.append(line.holds ? HELD : OPEN)
                    .append('\t')
                    .append(line.part)
                    .append('\t')
                    .append(line.detail)
                    .append('\n');
        }
        return Answer.ok("text/plain; charset=utf-8", out.toString());
    }

    /** What such a page says; lines that are none are left out. */
    public static List<SecurityLine> parse(String page) {
        List<SecurityLine> all = new ArrayList<>();
        for (String line : page.split("\n", -1)) {
            String[] parts = line.split("\t", -1);
            if (parts.length == 3) {
                all.add(new SecurityLine(parts[1], parts[0].equals(HELD), parts[2]));
            }
        }
        return all;
    }
}
