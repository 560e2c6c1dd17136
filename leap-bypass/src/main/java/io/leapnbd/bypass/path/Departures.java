package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes donors out of a running server, step by step, as docs/replicas.md, "How a donor is removed", has them. Each step is taken at a tick of one
 * loop, when the one before has come to its end. For that loop's thread, except where it says otherwise.
 */
public final class Departures {

    private static final Logger LOG = LoggerFactory.getLogger(Departures.class);

    private final DeviceLoop home;
    private final Supplier<Collection<DeviceLoop>> loops;
    private final AddressMap map;
    private final IntPredicate anyAt;
    private final Owner owner;

    /** By number. */
    private final Map<Integer, Departure> all = new ConcurrentHashMap<>();

    /**
     * Nobody leaves yet.
     *
     * @param loops all of the device's, as of now
     * @param anyAt whether anything of the device is at a donor, or may still be in use there
     * @param owner what the server knows as the owner of the export
     */
    public Departures(
            DeviceLoop home, Supplier<Collection<DeviceLoop>> loops, AddressMap map, IntPredicate anyAt, Owner owner) {
        this.home = home;
        this.loops = loops;
        this.map = map;
        this.anyAt = anyAt;
        this.owner = owner;
    }

    /** What the server writes down, and tells, of a donor that leaves. Called on the loop. */
    public interface Owner {

        /**
         * Takes a donor out of the note. What is at it is called lost there, if it is given up.
         *
         * @return the version of the note
         */
        long disown(int donor, boolean givenUp);

        /** Whether every donor that is left is known to have the note of a version, or a later one. */
        boolean allKnow(long version);

        /** A donor has given up the export: nothing is known there any more when the links are closed. */
        void released(int donor);

        /** Takes a donor out of the state file; what is at it is lost, if it is given up. */
        void forget(int donor, boolean givenUp);

        /** Nothing is left of a donor, and no loop has a link to it. */
        void gone(int donor);
    }

    private enum Step {
        /** Its slabs go to others. */
        EMPTYING,
        /** The links are being closed, of one that is given up. */
        CLOSING,
        /** Every other donor is being told. */
        TELLING,
        /** It is being told itself, and then the links are closed. */
        RELEASING
    }

    private static final class Departure {
        private final boolean givenUp;
        private volatile Step step;
        private long version;

        Departure(boolean givenUp) {
            this.givenUp = givenUp;
            step = givenUp ? Step.CLOSING : Step.EMPTYING;
        }
    }

    /**
     * A donor is to leave, from the loop's next tick on. Any thread.
     *
     * @param givenUp whether it is not waited for, and what only it has is lost
     */
    public synchronized void begin(int donor, boolean givenUp) {
        map.closeDonor(donor, true);
        Departure before = all.get(donor);
        if (before == null || (givenUp && before.step == Step.EMPTYING)) {
            all.put(donor, new Departure(givenUp));
        }
    }

    /** A donor is to stay, if it is still being emptied; whether it does. Any thread. */
    public synchronized boolean cancel(int donor) {
        Departure departure = all.get(donor);
        if (departure == null || departure.step != Step.EMPTYING || !all.remove(donor, departure)) {
            return false;
        }
        map.closeDonor(donor, false);
        return true;
    }

    /** Does what can be done now. Where nobody leaves this allocates nothing. */
    public void tick() {
        if (all.isEmpty()) {
            return;
        }
        for (Iterator<Integer> numbers = all.keySet().iterator(); numbers.hasNext(); ) {
            int donor = numbers.next();
            Departure departure = all.get(donor);
            // Links to one that was just added may not be there yet.
            if (departure != null && donor < home.links()) {
                goOn(donor, departure);
            }
        }
    }

    private void goOn(int donor, Departure departure) {
        Donor of = home.link(donor).donor();
        switch (departure.step) {
            case EMPTYING -> leaveIfEmpty(donor, of, departure);
            case CLOSING -> {
                if (of.use() == Donor.Use.LEAVING) {
                    // From here on it does not come back, and nothing is acknowledged there.
                    of.use(Donor.Use.DISOWNED);
                    close(donor, () -> disown(donor, of, departure));
                }
            }
            case TELLING -> {
                if (owner.allKnow(departure.version)) {
                    owner.forget(donor, departure.givenUp);
                    departure.step = Step.RELEASING;
                    if (departure.givenUp) {
                        end(donor, of);
                    } else {
                        release(donor, of);
                    }
                }
            }
            case RELEASING -> {
                // Its answer, or its deadline, goes on.
            }
        }
    }

    private synchronized void leaveIfEmpty(int donor, Donor of, Departure departure) {
        if (departure.equals(all.get(donor)) && !anyAt.test(donor)) {
            disown(donor, of, departure);
        }
    }

    private void disown(int donor, Donor of, Departure departure) {
        // In this order: what it answers from here on proves nothing, as a server that does not find it in the note
        // need not ask it.
        of.use(Donor.Use.DISOWNED);
        departure.version = owner.disown(donor, departure.givenUp);
        departure.step = Step.TELLING;
    }

    private void release(int donor, Donor of) {
        DonorLink link = home.link(donor);
        if (!link.ready() || !of.standing().isClaimed()) {
            close(donor, () -> end(donor, of));
            return;
        }
        LinkRequest request = home.newRequest();
        request.release();
        request.startNanos = home.now();
        request.deadlineNanos = home.deadline(request.startNanos);
        request.completion = (done, now) -> {
            if (done.outcome == Outcome.OK) {
                owner.released(donor);
            } else {
                LOG.warn(
                        "donor {} was not told that it is removed; it keeps the export's name until the lease ends",
                        of);
            }
            home.release(done);
            // Not from within what the link tells.
            home.soon(() -> close(donor, () -> end(donor, of)));
        };
        home.post(request, donor);
        link.flush();
    }

    private void end(int donor, Donor of) {
        of.use(Donor.Use.GONE);
        owner.gone(donor);
        all.remove(donor);
        LOG.info("donor {} is removed", of);
    }

    /** Closes the link of every loop; then goes on, on this one. */
    private void close(int donor, Runnable then) {
        Collection<DeviceLoop> each = loops.get();
        AtomicInteger open = new AtomicInteger(each.size());
        for (DeviceLoop loop : each) {
            loop.onLoop(() -> {
                loop.remove(donor);
                if (open.decrementAndGet() == 0) {
                    home.onLoop(then);
                }
            });
        }
    }
}
