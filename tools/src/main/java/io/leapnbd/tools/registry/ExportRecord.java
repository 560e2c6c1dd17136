package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.JsonValue;
import java.util.ArrayList;
import java.util.List;

/**
 * What a server says of its export in a registry.
 *
 * @param name of the export
 * @param owner whose it is: the name in the server's certificate, or the machine's
 * @param server machine and process, for people
 * @param process which server process it is
 * @param size bytes of the device
 * @param copies of each page
 * @param donors how many it uses
 * @param held bytes of copies at donors
 * @param pagesLost pages that are lost
 * @param degraded what is not as it should be, the first sentences
 */
public record ExportRecord(
        String name,
        String owner,
        String server,
        String process,
        long size,
        int copies,
        int donors,
        long held,
        long pagesLost,
        List<String> degraded) {

    private static final int MOST_SENTENCES = 4;

    /** As it is in the registry. */
    public String json() {
        Json json = new Json()
                .object()
                .put("v", 1)
                .put("name", name)
                .put("owner", owner)
                .put("server", server)
                .put("process", process)
                .put("size", size)
                .put("copies", copies)
                .put("donors", donors)
                .put("bytes_held", held)
                .put("pages_lost", pagesLost)
                .put("degraded_count", degraded.size())
                .array("degraded");
        degraded.stream().limit(MOST_SENTENCES).forEach(json::add);
        return json.endArray().endObject().toString();
    }

    /**
     * Reads it.
     *
     * @throws IllegalArgumentException if it is none
     */
    public static ExportRecord parse(String text) {
        JsonValue read = JsonValue.parse(text);
        List<String> degraded = new ArrayList<>();
        read.get("degraded").items().stream().limit(MOST_SENTENCES).forEach(one -> degraded.add(one.text("")));
        return new ExportRecord(
                read.get("name").text(""),
                read.get("owner").text(""),
                read.get("server").text(""),
                read.get("process").text(""),
                read.get("size").number(0),
                (int) read.get("copies").number(0),
                (int) read.get("donors").number(0),
                read.get("bytes_held").number(0),
                read.get("pages_lost").number(0),
                degraded);
    }
}
