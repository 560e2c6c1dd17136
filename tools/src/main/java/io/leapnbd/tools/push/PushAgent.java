package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.ProcessPusher;
import io.leapnbd.tools.linux.EventFd;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.PageFaultEvents;
import io.leapnbd.tools.linux.PerfRing;
import io.leapnbd.tools.linux.Poll;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The agent's loop: takes page faults out of the rings in the order of their time, tells them to the process's pusher, lets the pushers make
 * their calls, and sleeps until there may be something to do. Allocates nothing, but when a process begins.
 *
 * <p><b>When it sleeps.</b> Major faults wake it; others do not. While pages are ahead of a stream it sleeps as long as they last
 * ({@link ProcessPusher#due}), at least {@link #SHORTEST_WAIT}; when no faults come, twice as long each time. So it does nothing for a process that
 * makes no faults, and it looks rarely at one that makes them slowly.
 */
final class PushAgent implements AutoCloseable {

    private static final long SHORTEST_WAIT = TimeUnit.MICROSECONDS.toNanos(50);
    private static final long LONGEST_WAIT = TimeUnit.SECONDS.toNanos(1);
    private static final long TIDY_EVERY = TimeUnit.MILLISECONDS.toNanos(250);

    /** Times that a wait is doubled, at most. */
    private static final int MOST_DOUBLINGS = 15;

    /** Records taken before pushes are made. */
    private static final int RECORDS_A_TURN = 512;

    /** Calls for one process before others have their turn. */
    private static final int CALLS_A_TURN = 2;

    private final PageFaultEvents events;
    private final PushTargets targets;
    private final DeviceLimits device;
    private final FaultTimes times = new FaultTimes();
    private final EventFd wake = new EventFd();
    private final Poll poll;
    private final int[] places = new int[PushTargets.MOST];
    private final ProcessPusher.Clock clock = System::nanoTime;
    private volatile boolean stopped;
    private volatile long turns;
    private volatile long records;
    private long nextTidy;
    private int idleTurns;

    PushAgent(PageFaultEvents events, PushTargets targets, DeviceLimits device) throws LinuxException {
        this.events = events;
        this.targets = targets;
        this.device = device;
        poll = new Poll(events.rings() + 1 + PushTargets.MOST);
    }

    /** Ends {@link #run} soon. Any thread. */
    void stop() {
        stopped = true;
        wake.signal();
    }

    /** Pushes until it is told to stop. */
    void run() throws LinuxException {
        while (!stopped) {
            boolean busy = turn(System.nanoTime());
            if (!busy) {
                sleep(System.nanoTime());
            }
        }
    }

    /** Lets go of everything, when {@link #run} has ended and nobody will call {@link #stop} any more. */
    @Override
    public void close() {
        targets.close();
        poll.close();
        wake.close();
    }

    /** One turn; returns whether another should follow at once. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    boolean turn(long now) {
        int taken = take();
        records += taken;
        turns++;
        idleTurns = taken > 0 ? 0 : Math.min(idleTurns + 1, MOST_DOUBLINGS);
        boolean pushed = false;
        for (int i = 0; i < PushTargets.MOST; i++) {
            PushTarget target = targets.at(i);
            if (target != null) {
                for (int call = 0; call < CALLS_A_TURN && target.pusher().push(clock.nanos(), clock) > 0; call++) {
                    pushed = true;
                }
                if (target.pusher().isGone()) {
                    targets.end(i);
                }
            }
        }
        if (now - nextTidy >= 0) {
            nextTidy = now + TIDY_EVERY;
            for (int i = 0; i < PushTargets.MOST; i++) {
                PushTarget target = targets.at(i);
                if (target != null) {
                    target.pusher().tidy(now);
                }
            }
        }
        return pushed || taken == RECORDS_A_TURN;
    }

    /** Takes records from all rings, the earliest first. */
    private int take() {
        int taken = 0;
        while (taken < RECORDS_A_TURN) {
            PerfRing earliest = null;
            for (int i = 0; i < events.rings(); i++) {
                PerfRing ring = events.ring(i);
                if (ring.peek() && (earliest == null || ring.nanos() - earliest.nanos() < 0)) {
                    earliest = ring;
                }
            }
            if (earliest == null) {
                break;
            }
            accept(earliest);
            earliest.advance();
            taken++;
        }
        for (int i = 0; i < events.rings(); i++) {
            events.ring(i).release();
        }
        return taken;
    }

    private void accept(PerfRing record) {
        PushTarget target = targets.find(record.pid());
        switch (record.kind()) {
            case FAULT -> {
                times.began(record.tid(), record.address(), record.nanos());
                if (target != null) {
                    target.pusher().fault(record.address() >>> 12, record.nanos());
                }
            }
            case MAJOR -> {
                device.waited(times.took(record.tid(), record.address(), record.nanos()));
                PushTarget waited = target == null ? begin(record) : target;
                if (waited != null) {
                    waited.pusher().major(record.address() >>> 12);
                }
            }
            case EXEC -> {
                if (target != null) {
                    target.exec();
                }
            }
            case FORK, EXIT -> {
                // A new process is known from its first major fault on; an ended one by its descriptor.
            }
        }
    }

    private @Nullable PushTarget begin(PerfRing record) {
        PushTarget target = targets.begin(record.pid());
        if (target != null) {
            target.pusher().fault(record.address() >>> 12, record.nanos());
        }
        return target;
    }

    private void sleep(long now) throws LinuxException {
        long due = ProcessPusher.FOREVER;
        poll.clear();
        int wakePlace = poll.add(wake.fd(), Poll.IN);
        for (int i = 0; i < events.rings(); i++) {
            poll.add(events.descriptor(i), Poll.IN);
        }
        for (int i = 0; i < PushTargets.MOST; i++) {
            PushTarget target = targets.at(i);
            places[i] = target == null ? -1 : poll.add(target.descriptor(), Poll.IN);
            if (target != null) {
                due = Math.min(due, target.pusher().due());
            }
        }
        long wait = LONGEST_WAIT;
        if (due != ProcessPusher.FOREVER) {
            wait = Math.clamp(due - now, Math.min(SHORTEST_WAIT << idleTurns, LONGEST_WAIT), LONGEST_WAIT);
        }
        poll.await(wait);
        if (poll.ready(wakePlace) != 0) {
            wake.drain();
        }
        for (int i = 0; i < PushTargets.MOST; i++) {
            if (places[i] >= 0 && poll.ready(places[i]) != 0) {
                targets.end(i);
            }
        }
    }

    /** Turns of the loop so far. Any thread. */
    long turns() {
        return turns;
    }

    /** Records taken so far. Any thread. */
    long records() {
        return records;
    }
}
