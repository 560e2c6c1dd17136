package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.map.StateFile;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The links of one loop, by the donors' numbers. There is room for all that there can be, so that one that is added moves nothing. For the loop's
 * thread, once it is made.
 */
final class LoopLinks {

    private final @Nullable DonorLink[] links;
    private int count;

    /** The donors of the start, numbered from 0. */
    LoopLinks(DonorLink... first) {
        links = Arrays.copyOf(first, StateFile.MAX_DONORS);
        count = first.length;
    }

    /** Numbers are below this. */
    int count() {
        return count;
    }

    DonorLink get(int donor) {
        DonorLink link = links[donor];
        if (link == null) {
            throw new IllegalStateException("no donor has the number " + donor);
        }
        return link;
    }

    void add(DonorLink link) {
        links[count] = link;
        count++;
    }

    void set(int donor, DonorLink link) {
        links[donor] = link;
    }
}
