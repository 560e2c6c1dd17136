package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A copy that was to go and stayed, because its slab lost another one in between. */
class MovesIdleTest {

    private static final int SHIFT = 20;
    private static final int COPIES = 2;

    private final StateFile state = StateFile.inMemory(1L << SHIFT, SHIFT);
    private final AddressMap map = new AddressMap(state, 1L << SHIFT, SHIFT);
    private final DonorLink[] links = {new Ready(), new Ready(), new Ready()};
    private final DeviceLoop loop = new DeviceLoop(
            new SteppedLoop(System::nanoTime),
            new LatencyRecorders().openLoop(),
            links,
            true,
            TimeUnit.MINUTES.toNanos(1),
            TimeUnit.SECONDS.toNanos(1));
    private final SlabAllocator allocator = new SlabAllocator(
            map, new Versions(1), new int[] {0, 1, 2}, COPIES, TimeUnit.SECONDS.toNanos(1), new Random(1));
    private final Moves moves = new Moves(loop, map, new LeftCopies(loop, () -> List.of(loop), allocator));
    private final List<Member> copies = List.of(at(0), at(1), at(2));

    @AfterEach
    void close() throws IOException {
        state.close();
    }

    @Test
    void goesWhenItsDonorIsDrained() {
        beginToMoveAwayFromTheFirstDonor();
        Placement three = Objects.requireNonNull(map.placement(0));
        assertThat(map.place(0, three, Placement.of(2, List.of(copies.get(0), copies.get(2)))))
                .isTrue();
        moves.settleIdle(Set.of(), COPIES);
        links[0].donor().drain(true);
        assertThat(moves.anyWanted()).isTrue();
        assertThat(next()).isZero();
    }

    @Test
    void isLeftAloneWhileSomethingIsDoneForItsSlab() {
        beginToMoveAwayFromTheFirstDonor();
        Placement three = Objects.requireNonNull(map.placement(0));
        assertThat(map.place(0, three, Placement.of(2, List.of(copies.get(0), copies.get(2)))))
                .isTrue();
        moves.settleIdle(Set.of(0), COPIES);
        links[0].donor().drain(true);
        assertThat(next()).isEqualTo(-1);
    }

    @Test
    void isStillToGoWhileThereIsOneCopyMore() {
        beginToMoveAwayFromTheFirstDonor();
        moves.settleIdle(Set.of(), COPIES);
        assertThat(moves.leaving(0, Objects.requireNonNull(map.placement(0)))).isEqualTo(copies.get(0));
    }

    private void beginToMoveAwayFromTheFirstDonor() {
        map.map(0, Placement.of(1, copies));
        moves.begin(0, copies.get(0));
    }

    private int next() {
        return moves.next(Set.of(), slab -> false);
    }

    private static Member at(int donor) {
        return new Member(donor, UUID.randomUUID(), 0, 0);
    }

    private static final class Ready extends IdleLink {
        @Override
        public boolean ready() {
            return true;
        }
    }
}
