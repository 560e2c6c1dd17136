package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.ProcessPusher;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.prefetch.push.TargetMemory;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.ProcessMemory;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;
import org.jspecify.annotations.Nullable;

/** One process that is pushed for. The agent's thread, except where it says otherwise. */
final class PushTarget implements TargetMemory, AutoCloseable {

    private static final long LONGEST_WAIT = TimeUnit.SECONDS.toNanos(60);

    private final int pid;
    private final AnnouncedReads announced;
    private final ProcessMemory memory = new ProcessMemory(MOST_AT_ONCE);
    private final ProcessPusher pusher;
    private final Recorder untilTouched = new Recorder(1_000, LONGEST_WAIT, 2);
    private @Nullable Histogram interval;
    private final Histogram all = new Histogram(1_000, LONGEST_WAIT, 2);
    private volatile int lastError;
    private volatile boolean seesPages;

    PushTarget(int pid, DeviceLimits device, PushSettings settings, AnnouncedReads announced) {
        this.pid = pid;
        this.announced = announced;
        pusher = new ProcessPusher(this, device, settings, this::touched);
    }

    /** Opens the process; false if it cannot be pushed for. */
    boolean open() {
        lastError = -memory.open(pid);
        seesPages = memory.seesPages();
        return lastError == 0;
    }

    /** The process has executed another program. */
    void exec() {
        memory.reopen();
        seesPages = memory.seesPages();
        pusher.exec();
    }

    private void touched(long nanos) {
        untilTouched.recordValue(Math.clamp(nanos, 1_000, LONGEST_WAIT));
    }

    @Override
    public int swapped(long first, long stride, int count, long[] swapped) {
        return memory.swapped(first, stride, count, swapped);
    }

    @Override
    public int willNeed(long[] pages, int count) {
        int taken = memory.willNeed(pages, count);
        if (taken >= 0) {
            return taken;
        }
        lastError = -taken;
        return taken == -Errno.ESRCH ? GONE : REFUSED;
    }

    @Override
    public boolean tells() {
        return announced.connected();
    }

    @Override
    public void tell(long[] pages, int count) {
        announced.announce(memory, pages, count);
    }

    /** Any thread. */
    int pid() {
        return pid;
    }

    /** Readable when the process has ended. */
    int descriptor() {
        return memory.descriptor();
    }

    /** Any thread may read its figures and give it settings and a limit. */
    ProcessPusher pusher() {
        return pusher;
    }

    /** The error number of the last call that brought nothing; 0 if all did. Any thread. */
    int lastError() {
        return lastError;
    }

    /** Whether it is known which pages are swapped out. Any thread. */
    boolean seesPages() {
        return seesPages;
    }

    /** Times from push to touch, from the beginning on. Any thread. */
    synchronized Histogram untilTouched() {
        interval = untilTouched.getIntervalHistogram(interval);
        all.add(interval);
        return all.copy();
    }

    @Override
    public void close() {
        memory.close();
    }
}
