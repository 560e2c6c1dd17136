package io.leapnbd.bypass.takeover;

import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * How often what happens, in one history. Each history has habits of its own: some things never happen in it, others much more often than
 * usual. So it comes by rows of events that are too rare where all is alike.
 */
final class Habits {

    /** What may happen next, and its usual share. */
    enum Event {
        CHANGE(60),
        BURST(6),
        READ(8),
        START(20),
        KILL(8),
        CLOSE(3),
        SUSPEND(1),
        LOSE_FILE(2),
        REBOOT(2),
        COPY(3),
        DONORS(8),
        CUT(5),
        CUT_HOST(2),
        CUT_MOST(2),
        PARTITION(2),
        MEND_ALL(5),
        RESTART(3),
        SWAP(1),
        EXPIRE(1),
        WANT(12),
        PAUSE(4),
        SLOW(5),
        RESUME(6);

        private final int usual;

        Event(int usual) {
            this.usual = usual;
        }
    }

    /** Which donors an operator names. */
    enum Naming {
        /** Each with the same chance. */
        ANY,
        /** All. */
        ALL,
        /** Those that can be reached, and one more now and then. */
        REACHABLE,
        /** Those of the last start on this host; now and then with one more or one less. */
        USUAL
    }

    private static final Naming[] NAMINGS = {
        Naming.ANY, Naming.ALL, Naming.ALL, Naming.REACHABLE, Naming.USUAL, Naming.USUAL
    };

    private static final Event[] EVENTS = Event.values();
    private static final int[] QUARTERS = {0, 2, 4, 4, 8, 16};
    private static final int DONORS_FROM = Event.CUT.ordinal();
    private static final int DONORS_TO = Event.RESUME.ordinal();
    private static final int NEVER = Integer.MAX_VALUE;

    /** Milliseconds between two events. */
    private static final int[] QUICK = {0, 0, 10, 10, 10, 100, 300};

    private static final int[] SLOW = {0, 10, 300, 700, 1_200, 2_500, 4_000, 8_000};

    /** One start of so many is with {@code --take-over}, and so on. */
    final int takeOver;

    final int fresh;
    final int loseMissing;

    /** One donor of so many is left out of a start's list. */
    final int unnamed;

    private final Naming[] namings = new Naming[4];
    final int killedInStart;
    final int killedInService;

    /** After one message of so many nothing gets through on its link for a while. */
    final int stutters;

    final int disturbed;
    private final int[] weights = new int[EVENTS.length];
    private final int[] pauses;

    /** One event of so many happens to another host than the first. */
    private final int others;

    /** Draws them. */
    Habits(Random random) {
        for (Event event : EVENTS) {
            boolean needed =
                    event == Event.CHANGE || event == Event.READ || event == Event.START || event == Event.KILL;
            weights[event.ordinal()] = event.usual * (needed ? 4 : one(random, QUARTERS));
        }
        pauses = random.nextBoolean() ? QUICK : SLOW;
        others = one(random, 1, 1, 2, 4);
        takeOver = one(random, 1, 1, 3, NEVER);
        fresh = one(random, 25, NEVER);
        loseMissing = one(random, 3, 8, 8, NEVER);
        unnamed = one(random, 2, 3, 6, 6, 20, 50);
        for (int i = 0; i < namings.length; i++) {
            namings[i] = one(random, NAMINGS);
        }
        killedInStart = one(random, 8, 30, 30, NEVER);
        killedInService = one(random, 25, 100, 100, 400, NEVER);
        stutters = one(random, 10, 40, 40, 200, NEVER);
        disturbed = one(random, 2, 6, 6, NEVER);
    }

    Naming naming(Random random) {
        return one(random, namings);
    }

    private static Naming one(Random random, Naming[] of) {
        return of[random.nextInt(of.length)];
    }

    private static int one(Random random, int... of) {
        return of[random.nextInt(of.length)];
    }

    boolean once(int in, Random random) {
        return in != NEVER && random.nextInt(in) == 0;
    }

    /** Nanoseconds until the next event. */
    long pause(Random random) {
        return TimeUnit.MILLISECONDS.toNanos(one(random, pauses));
    }

    /** To which host it happens. */
    int host(Random random) {
        return once(others, random) ? random.nextInt(TakeoverWorld.HOSTS) : 0;
    }

    Event any(Random random) {
        return draw(random, 0, EVENTS.length - 1);
    }

    /** What happens to donors. */
    Event ofDonors(Random random) {
        return draw(random, DONORS_FROM, DONORS_TO);
    }

    private Event draw(Random random, int from, int to) {
        int sum = 0;
        for (int i = from; i <= to; i++) {
            sum += weights[i];
        }
        int left = sum == 0 ? 0 : random.nextInt(sum);
        for (int i = from; i < to; i++) {
            left -= weights[i];
            if (left < 0) {
                return EVENTS[i];
            }
        }
        return EVENTS[to];
    }
}
