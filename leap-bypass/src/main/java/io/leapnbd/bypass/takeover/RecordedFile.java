package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import org.jspecify.annotations.Nullable;

/** A state file as the check and the plan see it. */
final class RecordedFile {

    private RecordedFile() {}

    /** What the file says; null if there is none that can be used. */
    static @Nullable Recorded of(LockedStateFile locked) {
        StateFile file = locked.found();
        if (file == null) {
            return null;
        }
        StateHeader header = file.header();
        boolean complete = locked.complete();
        for (int slab = 0; slab < file.slabs() && complete; slab++) {
            complete = !file.broken(slab);
        }
        return new Recorded(
                header.size(),
                header.slabShift(),
                header.content(),
                header.owner(),
                header.claimer().equals(StateHeader.NOBODY) ? null : header.claimer(),
                header.term(),
                complete,
                header.boot().equals(locked.boot()),
                file.donors().stream()
                        .map(row ->
                                new Recorded.DonorRow(row.incarnation(), row.address(), row.epoch(), row.instance()))
                        .toList(),
                new Rows(file),
                header.cipher());
    }

    private record Rows(StateFile file) implements Recorded.SlabRows {

        @Override
        public int count() {
            return file.slabs();
        }

        @Override
        public @Nullable SlabRow row(int slab) {
            return file.row(slab);
        }

        @Override
        public boolean anyLost(int slab) {
            return file.anyLost(slab);
        }

        @Override
        public boolean broken(int slab) {
            return file.broken(slab);
        }
    }
}
