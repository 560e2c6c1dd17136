package io.leapnbd.bypass.map;

import java.util.ArrayList;
import java.util.List;

/**
 * Which parts of a device are lost now: pages whose bytes no donor has any more. Reading one is an error until it is written or trimmed.
 *
 * @param first the first ranges, by growing offset
 * @param count how many there are
 * @param bytes how large all of them are together
 */
public record LostRanges(List<Range> first, long count, long bytes) {

    /**
     * Neighbouring pages that are lost.
     *
     * @param offset where it begins, in bytes of the device
     * @param length in bytes
     */
    public record Range(long offset, long length) {}

    /**
     * Looks at every slab of which pages may be lost. Any thread; what is lost or written meanwhile may be seen or not.
     *
     * @param most ranges that are told, 0 or more; all are counted
     */
    public static LostRanges of(AddressMap map, int most) {
        List<Range> first = new ArrayList<>();
        long count = 0;
        long bytes = 0;
        long begin = -1;
        for (int slab = 0; slab <= map.slabs(); slab++) {
            long at = Math.min(map.size(), (long) slab * map.slabSize());
            long end = Math.min(map.size(), (slab + 1L) * map.slabSize());
            boolean damaged = slab < map.slabs() && map.damaged(slab);
            while (begin >= 0 || (damaged && at < end)) {
                boolean lost = damaged && at < end && map.isLost(at);
                if (!lost && begin >= 0) {
                    count++;
                    bytes += at - begin;
                    if (first.size() < most) {
                        first.add(new Range(begin, at - begin));
                    }
                    begin = -1;
                } else if (lost && begin < 0) {
                    begin = at;
                }
                if (!damaged || at >= end) {
                    break;
                }
                at = map.endOfRun(at, end);
                if (at == end) {
                    // A range may go on in the next slab.
                    break;
                }
            }
        }
        return new LostRanges(List.copyOf(first), count, bytes);
    }
}
