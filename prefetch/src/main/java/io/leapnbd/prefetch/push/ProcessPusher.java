package io.leapnbd.prefetch.push;

/**
 * Pushes for one process: is told its faults, asks the {@linkplain PushPolicy policy}, keeps the limits, and counts. One thread, except
 * for {@link #figures()} and {@link #reconfigure}. Allocates nothing once made, but for a process that executes another program or
 * is given other settings.
 */
public final class ProcessPusher {

    /** Is told how long pushed pages waited. */
    @FunctionalInterface
    public interface TouchListener {
        /** A pushed page was touched, so many nanoseconds after the kernel had been asked for it. */
        void touched(long nanos);
    }

    /** Nothing to wait for. */
    public static final long FOREVER = Long.MAX_VALUE;

    private static final int TELLS_A_PUSH = 4;

    private final TargetMemory memory;
    private final DeviceLimits device;
    private final TouchListener listener;
    private final PushFigures figures = new PushFigures();
    private final PushedPages pushed;
    private final long[] batch = new long[TargetMemory.MOST_AT_ONCE];
    private volatile PushSettings wanted;
    private PushSettings settings;
    private PushPolicy policy;
    private volatile int mostWaiting = PushedPages.MOST_WAITING;
    private long lastFault;
    private boolean gone;

    /** For the process with this memory. */
    public ProcessPusher(TargetMemory memory, DeviceLimits device, PushSettings settings, TouchListener listener) {
        this.memory = memory;
        this.device = device;
        this.listener = listener;
        this.wanted = settings;
        this.settings = settings;
        policy = policy(settings);
        pushed = new PushedPages(this::unused);
    }

    private PushPolicy policy(PushSettings settings) {
        return settings.policy() == PushSettings.Policy.LEAP
                ? new LeapPushPolicy(memory, settings.leap())
                : new StreamPushPolicy(memory);
    }

    /** Settings that count from the next fault on. Any thread. */
    public void reconfigure(PushSettings settings) {
        wanted = settings;
    }

    /** The settings that it was given last. Any thread. */
    public PushSettings settings() {
        return wanted;
    }

    /** Pages that may be pushed and untouched at a time: a part of what the process's cgroup may have in memory. Any thread. */
    public void limit(long pages) {
        mostWaiting = Math.clamp(pages, 0, PushedPages.MOST_WAITING);
    }

    /** A page fault has begun. */
    public void fault(long page, long nanos) {
        figures.add(PushFigure.FAULTS, 1);
        lastFault = nanos;
        int place = pushed.find(page);
        long ticket = PushPolicy.NO_TICKET;
        if (place >= 0 && pushed.isWaiting(place)) {
            ticket = pushed.ticket(place);
            pushed.touch(place);
            figures.add(PushFigure.HITS, 1);
            listener.touched(Math.max(0, nanos - pushed.pushedAt(place)));
        }
        policy.fault(page, ticket, nanos);
        pushed.sweep(nanos);
    }

    /** The last fault of this page has ended, and was a major one. */
    public void major(long page) {
        figures.add(PushFigure.MAJOR, 1);
        int place = pushed.find(page);
        if (place >= 0 && !pushed.isWaiting(place)) {
            // It had been pushed, and was not there any more.
            pushed.remove(place);
            figures.add(PushFigure.HITS, -1);
            figures.add(PushFigure.EVICTED, 1);
        }
        policy.major(page);
    }

    private void unused(long ticket) {
        figures.add(PushFigure.UNUSED, 1);
        policy.unused(ticket);
    }

    /** The process executes another program, in new memory. */
    public void exec() {
        figures.add(PushFigure.EXECS, 1);
        pushed.clear();
        policy.forget();
    }

    /**
     * Makes one call for pages, if any are wanted and may be asked for.
     *
     * @param now the time
     * @param clock read again when the call has been made
     * @return pages that are asked for; 0 if there is nothing to do at the moment
     */
    @SuppressWarnings("ReferenceEquality") // settings are replaced as a whole
    public int push(long now, Clock clock) {
        PushSettings newest = wanted;
        if (newest != settings) {
            settings = newest;
            pushed.clear();
            policy = policy(newest);
        }
        if (gone || settings.policy() == PushSettings.Policy.OFF) {
            return 0;
        }
        if (memory.tells()) {
            tellAhead();
        }
        int room = Math.min(device.room(now), mostWaiting - pushed.waiting());
        if (room <= 0) {
            figures.add(PushFigure.HELD_BACK, 1);
            return 0;
        }
        int count =
                policy.next(batch, Math.min(room, TargetMemory.MOST_AT_ONCE), device.batch(), device.latencyNanos());
        if (count == 0) {
            return 0;
        }
        if (policy.untold() && memory.tells()) {
            memory.tell(batch, count);
        }
        int taken = memory.willNeed(batch, count);
        long after = clock.nanos();
        gone = taken == TargetMemory.GONE;
        taken = Math.max(taken, 0);
        for (int i = 0; i < taken; i++) {
            pushed.add(batch[i], policy.ticket(i), after);
        }
        policy.taken(taken, count);
        figures.add(PushFigure.CALLS, 1);
        figures.add(PushFigure.PUSHED, taken);
        if (taken == 0) {
            figures.add(PushFigure.REFUSED, 1);
        }
        if (device.called(taken, now, after)) {
            figures.add(PushFigure.SLOW, 1);
        }
        return taken;
    }

    private void tellAhead() {
        for (int i = 0; i < TELLS_A_PUSH; i++) {
            int count = policy.ahead(batch, device.batch(), device.latencyNanos());
            if (count == 0) {
                return;
            }
            memory.tell(batch, count);
        }
    }

    /** When pushing is due again although no fault was seen, on the clock of {@code now}; {@link #FOREVER} if it is not. */
    public long due() {
        long patience = policy.patience(device.batch(), device.latencyNanos());
        return patience == Long.MAX_VALUE ? FOREVER : lastFault + patience;
    }

    /** Looks after what no fault will come for any more, and shows the state to other threads. Some times a second at most. */
    public void tidy(long now) {
        pushed.sweepAll(now);
        figures.state(pushed.waiting(), policy.streams(), policy.lead(), policy.trend(), device.latencyNanos());
    }

    /** Whether the kernel says that the process is gone. */
    public boolean isGone() {
        return gone;
    }

    /** Counters. Any thread. */
    public PushFigures figures() {
        return figures;
    }

    /** Says what time it is. */
    @FunctionalInterface
    public interface Clock {
        /** Nanoseconds, on the clock of the faults. */
        long nanos();
    }
}
