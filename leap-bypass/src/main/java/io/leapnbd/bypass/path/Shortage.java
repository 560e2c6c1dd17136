package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.Member;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * For how long donors have had no room for copies that are missing. The member of last resort gets one only after a while: a donor that restarts is
 * back sooner than its slabs are written to a disk and back. For one loop's thread.
 */
final class Shortage {

    /** Longer than a donor takes to restart. */
    private static final long LASTS_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** Nobody has asked for so long: what was before does not count. */
    private static final long FORGOTTEN_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final DeviceLoop loop;
    private boolean any;
    private long since;
    private long latest;

    Shortage(DeviceLoop loop) {
        this.loop = loop;
    }

    /**
     * Whether the member of last resort will do.
     *
     * @param leaving the copy that is to go; its donor's memory is wanted now. Null if a copy is missing
     * @param to the only donor that is to be asked, as it has more room; {@link DonorChoice#NONE} for any
     */
    boolean lasts(@Nullable Member leaving, int to) {
        if (to != DonorChoice.NONE) {
            return false;
        }
        if (leaving != null) {
            return !loop.link(leaving.donor()).donor().lastResort();
        }
        long now = loop.now();
        return any && now - latest < FORGOTTEN_NANOS && now - since >= LASTS_NANOS;
    }

    /** A copy was asked for, as of {@link #lasts}; null if nobody had room. */
    void asked(@Nullable Member leaving, @Nullable Member granted) {
        long now = loop.now();
        if (leaving != null) {
            return;
        }
        if (granted != null) {
            any &= loop.link(granted.donor()).donor().lastResort();
        } else if (!any || now - latest >= FORGOTTEN_NANOS) {
            any = true;
            since = now;
        }
        latest = now;
    }
}
