package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.Page;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * {@code /slabs?cells=1024}: where the device's slabs are, for a picture. The device is cut into cells of one slab or more, at most as many as asked
 * for. Each text has a character for each cell. Any thread.
 */
record SlabMapPage(RemoteDevice device) implements Page {

    private static final int CELLS = 1024;
    private static final int MOST_CELLS = 4096;

    /** States of a cell; of several slabs the worst counts, which is the last. */
    private static final String STATES = ".ofsl";

    @Override
    public Answer answer(Map<String, String> query) {
        AddressMap map = device.map();
        int slabs = map.slabs();
        int perCell = Math.ceilDiv(slabs, cells(query.get("cells")));
        int cells = Math.ceilDiv(slabs, perCell);
        int[] worst = new int[cells];
        long[] written = new long[cells];
        Map<Integer, char[]> held = new TreeMap<>();
        for (int slab = 0; slab < slabs; slab++) {
            int cell = slab / perCell;
            Placement placement = map.placement(slab);
            worst[cell] = Math.max(worst[cell], state(slab, placement));
            written[cell] += placement == null ? 0 : map.pagesWritten(slab);
            for (int i = 0; placement != null && i < placement.size(); i++) {
                held.computeIfAbsent(placement.member(i).donor(), _ -> blank(cells))[cell] = '1';
            }
        }
        Json json = new Json()
                .object()
                .put("slab_size", map.slabSize())
                .put("slabs", slabs)
                .put("slabs_per_cell", perCell)
                .put("cells", text(worst))
                .put("written", tenths(written, (long) perCell * map.slabSize() / Protocol.PAGE_SIZE))
                .array("donors");
        held.forEach((donor, where) -> json.object()
                .put("name", device.donors().get(donor).name())
                .put("holds", new String(where))
                .endObject());
        return Answer.ok("application/json", json.endArray().endObject() + "\n");
    }

    private static int cells(@Nullable String asked) {
        try {
            return asked == null ? CELLS : Math.clamp(Integer.parseInt(asked), 1, MOST_CELLS);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("cells: '" + asked + "' is not a whole number", e);
        }
    }

    private int state(int slab, @Nullable Placement placement) {
        AddressMap map = device.map();
        long from = (long) slab * map.slabSize();
        long length = Math.min(map.slabSize(), map.size() - from);
        if (map.damaged(slab) && map.anyLost(from, length)) {
            return STATES.indexOf('l');
        }
        if (placement == null) {
            return STATES.indexOf('.');
        }
        boolean filling = placement.size() > placement.live();
        return STATES.indexOf(placement.live() < device.copies() && !filling ? 's' : filling ? 'f' : 'o');
    }

    private static char[] blank(int cells) {
        char[] all = new char[cells];
        Arrays.fill(all, '0');
        return all;
    }

    private static String text(int[] states) {
        StringBuilder out = new StringBuilder(states.length);
        for (int state : states) {
            out.append(STATES.charAt(state));
        }
        return out.toString();
    }

    /** How full each cell is: 0 for empty, else 1 to 9. */
    private static String tenths(long[] written, long pages) {
        StringBuilder out = new StringBuilder(written.length);
        for (long count : written) {
            out.append(count == 0 ? 0 : Math.clamp(Math.ceilDiv(count * 9, pages), 1, 9));
        }
        return out.toString();
    }
}
