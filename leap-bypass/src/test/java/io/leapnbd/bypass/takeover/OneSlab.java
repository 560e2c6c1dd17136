package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.SlabRow;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** State files of a device of one slab, for tests of the plan. */
final class OneSlab {

    private OneSlab() {}

    /** Of the contents of a number, whole and of this boot; the slab is where {@code row} says, or nowhere. */
    static Recorded file(UUID content, @Nullable SlabRow row) {
        return new Recorded(
                1 << 20, 20, content, new UUID(9, 1), null, 4, true, true, List.of(), new Recorded.SlabRows() {
                    @Override
                    public int count() {
                        return 1;
                    }

                    @Override
                    public @Nullable SlabRow row(int slab) {
                        return row;
                    }

                    @Override
                    public boolean broken(int slab) {
                        return false;
                    }
                });
    }
}
