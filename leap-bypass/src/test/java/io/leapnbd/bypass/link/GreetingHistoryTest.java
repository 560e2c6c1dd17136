package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Random histories of several lanes of one server against a small model of a donor that restarts, forgets the export after its lease, is
 * set back to a snapshot, and is claimed by newer servers and by strangers. Answers come in any order, and late.
 */
class GreetingHistoryTest {

    private static final int HISTORIES = 3_000;
    private static final int STEPS = 120;
    private static final int LANES = 3;
    private static final UUID CONTENT = new UUID(3, 1);
    private static final UUID FOREIGN = new UUID(3, 2);
    private static final UUID MINE = new UUID(2, 1);
    private static final int SLAB = 1 << 20;

    private static final LinkSettings SETTINGS = new LinkSettings(
            "swap0",
            MINE,
            CONTENT,
            5,
            new UUID(4, 4),
            "test",
            () -> ByteBuffer.allocate(0),
            _ -> false,
            SLAB,
            Duration.ofSeconds(30),
            1 << 20);

    /** What the donor process is and has. */
    private static final class Model {

        UUID process = new UUID(1, 1);
        int processes = 1;
        long epoch;
        UUID content = HelloReply.NONE;
        UUID instance = HelloReply.NONE;
        long term;
        long highest;
        Set<Integer> slabs = new HashSet<>();
        boolean newerHasClaimed;

        /** Slabs granted to the server under test that a claim of its own has taken away, though they had not been lost. */
        Set<Integer> blanked = new HashSet<>();

        final List<Long> claimsOfMine = new ArrayList<>();

        HelloReply describe() {
            return new HelloReply(
                    2,
                    process,
                    new HelloReply.Limits(SLAB, 9, 600),
                    epoch,
                    content,
                    new Claimant(instance, term, HelloReply.NONE, "x"),
                    new HelloReply.Activity(0, 0, 0, 1),
                    new HelloReply.Room(9, 9, 9, slabs.size()),
                    highest,
                    0,
                    ByteBuffer.allocate(0));
        }

        Answer hello(Hello hello) {
            return switch (hello.mode()) {
                case OBSERVE -> new Answer(Status.OK, describe(), 0);
                case JOIN ->
                    epoch == hello.epoch() && instance.equals(hello.instance())
                            ? new Answer(Status.OK, describe(), epoch)
                            : new Answer(Status.FENCED, describe(), 0);
                case CLAIM -> claim(hello);
            };
        }

        private Answer claim(Hello hello) {
            if (epoch != hello.epoch() || !content.equals(hello.foundContent())) {
                return new Answer(Status.CONFLICT, describe(), 0);
            }
            if (hello.blank()) {
                blanked.addAll(slabs);
                slabs.clear();
            }
            epoch++;
            content = hello.content();
            instance = hello.instance();
            term = hello.claimant().term();
            highest = 0;
            claimsOfMine.add(epoch);
            return new Answer(Status.OK, describe(), epoch);
        }

        void restart() {
            process = new UUID(1, ++processes);
            epoch = 0;
            forget();
        }

        void forget() {
            content = HelloReply.NONE;
            instance = HelloReply.NONE;
            term = 0;
            highest = 0;
            slabs.clear();
            blanked.clear();
        }

        void claimedBy(UUID other, UUID itsContent, long itsTerm) {
            if (!content.equals(itsContent)) {
                slabs.clear();
            }
            epoch++;
            content = itsContent;
            instance = other;
            term = itsTerm;
        }
    }

    private record Answer(byte status, HelloReply reply, long epoch) {}

    /** One lane's connection. */
    private static final class Lane {

        final int number;

        @Nullable
        LinkGreeting greeting;

        @Nullable
        Hello said;

        @Nullable
        Answer answer;

        UUID to = HelloReply.NONE;
        long readyEpoch;

        Lane(int number) {
            this.number = number;
        }

        void end() {
            if (greeting != null) {
                greeting.ended();
            }
            greeting = null;
            said = null;
            answer = null;
            readyEpoch = 0;
        }
    }

    private static final class World implements Donor.Listener {

        final Random random;
        final Model model = new Model();
        final Donor donor = new Donor("model", this);
        final List<Lane> lanes = new ArrayList<>();
        final Set<String> held = new HashSet<>();
        boolean fenced;
        boolean rolledBack;
        long version;

        World(long seed) {
            random = new Random(seed);
            for (int i = 0; i < LANES; i++) {
                lanes.add(new Lane(i));
            }
        }

        @Override
        public void donorLost(Donor lost, UUID gone, UUID found, boolean seen) {
            assertThat(model.process.equals(gone) && holds(gone) && !rolledBack && !forgotten)
                    .as("a process that has everything is called lost")
                    .isFalse();
            held.removeIf(slab -> slab.startsWith(gone + "/"));
            model.blanked.clear();
        }

        boolean forgotten;

        private boolean holds(UUID process) {
            return held.stream().anyMatch(slab -> slab.startsWith(process + "/"));
        }

        @Override
        public void donorClaiming(Donor claimed, UUID found) {}

        @Override
        public void donorClaimed(Donor claimed, UUID found, long epoch) {
            rolledBack = false;
            forgotten = false;
        }

        @Override
        public void fenced(Donor by) {}

        void step() {
            Lane lane = lanes.get(random.nextInt(LANES));
            int what = random.nextInt(100);
            if (what < 80) {
                advance(lane);
            } else if (what < 90) {
                lane.end();
            } else {
                disturb();
            }
            check();
        }

        private void disturb() {
            switch (random.nextInt(24)) {
                case 0, 1, 2, 3 -> {
                    model.restart();
                    lanes.forEach(Lane::end);
                }
                case 4, 5 -> {
                    model.forget();
                    forgotten = true;
                    lanes.forEach(Lane::end);
                }
                case 6, 7 -> {
                    if (model.instance.equals(MINE) && model.highest > 0) {
                        model.highest--;
                        rolledBack = true;
                        lanes.forEach(Lane::end);
                    }
                }
                case 8 -> {
                    model.claimedBy(new UUID(2, 9), CONTENT, 6);
                    model.newerHasClaimed = true;
                    lanes.forEach(lane -> lane.readyEpoch = 0);
                }
                case 9 -> {
                    if (model.content.equals(HelloReply.NONE)) {
                        model.claimedBy(new UUID(2, 8), FOREIGN, 1);
                    }
                }
                case 10 -> {
                    if (model.content.equals(FOREIGN)) {
                        model.forget();
                    }
                }
                default -> {}
            }
        }

        private void advance(Lane lane) {
            if (lane.greeting == null) {
                LinkGreeting fresh = new LinkGreeting(donor, SETTINGS, lane.number);
                lane.greeting = fresh;
                lane.to = model.process;
                act(lane, fresh.begin());
            } else if (lane.said != null) {
                // It is done there now, and the answer is on its way.
                lane.answer = model.hello(lane.said);
                lane.said = null;
            } else if (lane.answer != null) {
                Answer answer = lane.answer;
                lane.answer = null;
                lane.readyEpoch = answer.epoch;
                act(lane, lane.greeting.answered(answer.status, answer.reply));
            } else if (lane.readyEpoch != 0 && lane.readyEpoch == model.epoch) {
                use(lane, lane.greeting);
            } else {
                lane.end();
            }
        }

        /** A grant or a write. */
        private void use(Lane lane, LinkGreeting greeting) {
            int slab = random.nextInt(4);
            if (random.nextBoolean()) {
                model.slabs.add(slab);
                model.blanked.remove(slab);
                held.add(model.process + "/" + slab);
            } else {
                model.highest = Math.max(model.highest, ++version);
                greeting.held().acknowledged(version);
            }
            assertThat(lane.to).isEqualTo(model.process);
        }

        private void act(Lane lane, LinkGreeting.Step step) {
            switch (step.kind()) {
                case SAY -> {
                    lane.said = step.hello();
                    lane.readyEpoch = 0;
                }
                case READY -> donor.linkUp(false);
                case LATER -> lane.end();
                case FENCED -> {
                    fenced = true;
                    assertThat(model.newerHasClaimed)
                            .as("fenced by somebody newer")
                            .isTrue();
                }
            }
        }

        private void check() {
            for (int slab : model.blanked) {
                assertThat(held).as("granted and not lost").doesNotContain(model.process + "/" + slab);
            }
            assertThat(lanes.stream()
                            .filter(lane -> lane.said != null && lane.said.mode() == Hello.Mode.CLAIM)
                            .count())
                    .as("lanes that claim")
                    .isLessThanOrEqualTo(1);
        }
    }

    @Test
    void no_two_lanes_claim_at_once_nothing_granted_is_blanked_and_only_a_newer_server_fences() {
        int fences = 0;
        int claims = 0;
        for (int seed = 0; seed < HISTORIES; seed++) {
            World world = new World(seed);
            try {
                for (int i = 0; i < STEPS && !world.fenced; i++) {
                    world.step();
                }
            } catch (AssertionError e) {
                throw new AssertionError("history " + seed, e);
            }
            fences += world.fenced ? 1 : 0;
            claims += world.model.claimsOfMine.size();
        }
        assertThat(fences).isPositive();
        assertThat(claims).isGreaterThan(HISTORIES);
    }

    /** A12: what was acknowledged while the answer to a JOIN was on its way is not in that answer, and not forgotten. */
    @Test
    void a_write_that_another_lane_has_had_acknowledged_since_the_hello_is_not_missed() {
        World world = new World(0);
        LinkGreeting first = new LinkGreeting(world.donor, SETTINGS, 0);
        Answer described = world.model.hello(hello(first.begin()));
        Answer claimed = world.model.hello(hello(first.answered(described.status, described.reply)));
        assertThat(first.answered(claimed.status, claimed.reply).kind()).isEqualTo(LinkGreeting.Step.Kind.READY);

        LinkGreeting second = new LinkGreeting(world.donor, SETTINGS, 1);
        Answer joined = world.model.hello(hello(second.begin()));
        world.held.add(world.model.process + "/0");
        first.held().acknowledged(9);
        assertThat(second.answered(joined.status, joined.reply).kind()).isEqualTo(LinkGreeting.Step.Kind.READY);
    }

    private static Hello hello(LinkGreeting.Step step) {
        Hello hello = step.hello();
        if (hello == null) {
            throw new AssertionError("nothing to say: " + step);
        }
        return hello;
    }
}
