package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes which copies of a slab are believed, and tells the donors first: docs/replicas.md, rules 3 to 8. One change at a time for
 * each slab, driven by the loop that asked for it; others wait behind it. Any thread, but each method on the loop that it is given.
 */
public final class PlacementChanges {

    private static final Logger LOG = LoggerFactory.getLogger(PlacementChanges.class);

    private static final long TELL_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Rounds of questions for one change: each has fewer copies to ask than the one before. */
    private static final int ROUNDS = 2 * Placement.MAX_MEMBERS;

    private final AddressMap map;
    private final Versions versions;
    private final SlabLosses losses;
    private final long memberTimeoutNanos;
    private final Consumer<Dropped> onDropped;
    private final LongAdder drops = new LongAdder();

    /** When each donor was last told of in the log. */
    private final Map<Integer, Long> toldDropped = new ConcurrentHashMap<>();

    /** By slab: what is under way, and what waits behind it. */
    private final Map<Integer, ArrayDeque<Step>> changes = new ConcurrentHashMap<>();

    /**
     * For one device.
     *
     * @param memberTimeoutNanos how long a copy may take to answer
     * @param onDropped told of each copy that is not used any more and whose memory can be given back
     */
    public PlacementChanges(
            AddressMap map,
            Versions versions,
            SlabLosses losses,
            long memberTimeoutNanos,
            Consumer<Dropped> onDropped) {
        this.map = map;
        this.versions = versions;
        this.losses = losses;
        this.memberTimeoutNanos = memberTimeoutNanos;
        this.onDropped = onDropped;
    }

    /** Copies that were dropped because they did not answer. */
    public long drops() {
        return drops.sum();
    }

    /**
     * A copy that was dropped.
     *
     * @param slab which part of the device
     * @param member the copy
     * @param generation the first one without it
     */
    public record Dropped(int slab, Member member, long generation) {}

    /**
     * Leaves copies out that may miss a write, if others answer, and has the live ones told who is left. If nobody is to be left out, it
     * only has them told.
     *
     * @param leaving who may miss a write; all other live copies have it
     * @param deadlineNanos {@link System#nanoTime()} after which it is not begun any more
     * @param end told whether they are left out and the rest has been told; on the loop, possibly before this returns
     */
    void leaveOut(int slab, List<Member> leaving, DeviceLoop loop, long deadlineNanos, Consumer<Boolean> end) {
        Step step = new Step(slab, loop, deadlineNanos, end);
        step.begin = () -> leaveOutRound(step, leaving, ROUNDS);
        submit(step);
    }

    /**
     * Leaves a live copy out that is well, because its donor wants memory back and there are enough others. Nothing is left out in its favour: if one of the
     * others does not answer, it stays in doubt, and becomes live again when all answer.
     *
     * @param deadlineNanos as in {@link #leaveOut}
     * @param end told whether it is left out and the rest has been told; on the loop, possibly before this returns
     */
    void release(int slab, Member leaving, DeviceLoop loop, long deadlineNanos, Consumer<Boolean> end) {
        Step step = new Step(slab, loop, deadlineNanos, end);
        step.meant = true;
        step.begin = () -> {
            Placement now = map.placement(slab);
            if (now != null && now.has(leaving) && now.told() && now.live() == now.size() && now.live() > 1) {
                leaveOutRound(step, List.of(leaving), 1);
            } else {
                step.finish(now == null || !now.has(leaving));
            }
        };
        submit(step);
    }

    /**
     * Calls a copy that has every write live, once all have been told: it first, so that no donor names a copy that does not know.
     *
     * @param deadlineNanos as in {@link #leaveOut}
     * @param end told whether it is live; on the loop, possibly before this returns
     */
    void promote(int slab, Member complete, DeviceLoop loop, long deadlineNanos, Consumer<Boolean> end) {
        Step step = new Step(slab, loop, deadlineNanos, end);
        step.begin = () -> promoteRound(step, complete);
        submit(step);
    }

    /** One change. It ends exactly once, whatever happens, and the next one of its slab begins. */
    private final class Step {

        final int slab;
        final DeviceLoop loop;
        final long deadlineNanos;
        final Consumer<Boolean> end;
        Runnable begin = () -> {};

        /** Whether the copies that it leaves out are well. */
        boolean meant;

        /** Whether nothing was under way when it came. */
        boolean first;

        private boolean over;

        Step(int slab, DeviceLoop loop, long deadlineNanos, Consumer<Boolean> end) {
            this.slab = slab;
            this.loop = loop;
            this.deadlineNanos = deadlineNanos;
            this.end = end;
        }

        void begin() {
            if (loop.now() - deadlineNanos >= 0) {
                finish(false);
            } else {
                guarded(begin);
            }
        }

        /** A throw ends the change, and nothing else. */
        void guarded(Runnable part) {
            try {
                part.run();
            } catch (RuntimeException | Error e) {
                loop.defect(e);
                finish(false);
            }
        }

        void finish(boolean how) {
            if (over) {
                return;
            }
            over = true;
            try {
                end.accept(how);
            } catch (RuntimeException | Error e) {
                loop.defect(e);
            } finally {
                finished(slab);
            }
        }
    }

    private void submit(Step step) {
        ArrayDeque<Step> _ = changes.compute(step.slab, (key, present) -> {
            ArrayDeque<Step> steps = present == null ? new ArrayDeque<>() : present;
            step.first = steps.isEmpty();
            steps.add(step);
            return steps;
        });
        if (step.first) {
            step.begin();
        }
    }

    /** The change that is under way has ended: the next one begins, on its own loop. */
    private void finished(int slab) {
        Step[] next = new Step[1];
        changes.computeIfPresent(slab, (key, steps) -> {
            Step _ = steps.pollFirst();
            next[0] = steps.peekFirst();
            return steps.isEmpty() ? null : steps;
        });
        Step step = next[0];
        if (step != null) {
            step.loop.onLoop(step::begin);
        }
    }

    private void leaveOutRound(Step step, List<Member> leaving, int rounds) {
        Placement now = map.placement(step.slab);
        if (now == null) {
            step.finish(true);
            return;
        }
        List<Member> out = now.members().stream().filter(leaving::contains).toList();
        List<Member> stay = new ArrayList<>(PlaceRequests.live(now));
        stay.removeAll(out);
        if (out.isEmpty() && now.told()) {
            step.finish(true);
        } else if (stay.isEmpty() || rounds == 0) {
            step.finish(false);
        } else {
            long generation = versions.nextGrant();
            // A question that is sent counts, whether it is answered or not: first it is written down.
            Placement doubted = now.withDoubt(out, generation);
            if (map.place(step.slab, now, doubted)) {
                PlaceRequests.send(
                        step.loop,
                        stay,
                        generation,
                        memberTimeoutNanos,
                        round -> step.guarded(() -> toldTheRest(step, doubted, out, stay, round, generation, rounds)));
            } else {
                // The bytes of a copy went meanwhile.
                leaveOutRound(step, leaving, rounds - 1);
            }
        }
    }

    private void toldTheRest(
            Step step,
            Placement doubted,
            List<Member> out,
            List<Member> stay,
            PlaceRequests round,
            long generation,
            int rounds) {
        int slab = step.slab;
        round.gone().forEach(gone -> losses.takenBack(slab, gone));
        List<Member> told = round.acknowledged();
        if (told.isEmpty()) {
            step.finish(false);
        } else if (told.size() == stay.size() && map.place(slab, doubted, doubted.without(out, generation))) {
            for (Member member : out) {
                if (!step.meant) {
                    drops.increment();
                    tellDropped(slab, member, step.loop);
                }
                onDropped.accept(new Dropped(slab, member, generation));
            }
            step.finish(true);
        } else {
            List<Member> more = new ArrayList<>(stay);
            more.removeAll(told);
            more.addAll(out);
            leaveOutRound(step, more, rounds - 1);
        }
    }

    /** Once in a while for each donor: it may have thousands of slabs. */
    private void tellDropped(int slab, Member member, DeviceLoop loop) {
        long now = loop.now();
        Long before = toldDropped.put(member.donor(), now);
        if (before == null || now - before > TELL_AGAIN_NANOS) {
            LOG.warn(
                    "donor {} does not answer: its copy of slab {} is not used any more, nor are others that are written to",
                    loop.link(member.donor()).donor(),
                    slab);
        }
    }

    private void promoteRound(Step step, Member complete) {
        int slab = step.slab;
        Placement now = map.placement(slab);
        int place = now == null ? -1 : now.indexOf(complete);
        if (now == null || place < 0 || now.state(place) != State.COMPLETE) {
            step.finish(now != null && place >= 0 && now.state(place) == State.LIVE);
            return;
        }
        List<Member> live = PlaceRequests.live(now);
        List<Member> names = new ArrayList<>(live);
        names.add(complete);
        long generation = versions.nextGrant();
        PlaceRequests.send(
                step.loop,
                List.of(complete),
                names,
                generation,
                memberTimeoutNanos,
                first -> step.guarded(() -> {
                    if (first.acknowledged().isEmpty()) {
                        first.gone().forEach(gone -> losses.takenBack(slab, gone));
                        step.finish(false);
                        return;
                    }
                    PlaceRequests.send(
                            step.loop,
                            live,
                            names,
                            generation,
                            memberTimeoutNanos,
                            round -> step.guarded(() -> {
                                round.gone().forEach(gone -> losses.takenBack(slab, gone));
                                boolean told = round.acknowledged().size() == live.size();
                                step.finish(told && map.place(slab, now, now.withLive(complete, generation)));
                            }));
                }));
    }
}
