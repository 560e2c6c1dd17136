package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.path.Rebalance.Room;
import io.leapnbd.bypass.path.Rebalance.Way;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RebalanceTest {

    private static Room room(int donor, int held, int free, int total) {
        return new Room(donor, held, free, total);
    }

    @Test
    void slabsGoFromTheDonorWithTheSmallestFreeShareToTheOneWithTheLargest() {
        List<Way> ways = Rebalance.ways(List.of(room(0, 90, 10, 100), room(1, 50, 50, 100), room(2, 0, 100, 100)));
        assertThat(ways).extracting(Way::from).startsWith(0);
        assertThat(ways).extracting(Way::to).startsWith(2);
        assertThat(ways).hasSize(3);
    }

    @Test
    void aDifferenceOfAFifthIsLeftAlone() {
        assertThat(Rebalance.ways(List.of(room(0, 60, 40, 100), room(1, 40, 60, 100))))
                .isEmpty();
        assertThat(Rebalance.ways(List.of(room(0, 61, 39, 100), room(1, 40, 60, 100))))
                .hasSize(1);
    }

    @Test
    void whatOthersUseCountsToo() {
        // Its memory is another server's: nothing of this one can go.
        assertThat(Rebalance.ways(List.of(room(0, 0, 1, 100), room(1, 10, 90, 100))))
                .isEmpty();
        assertThat(Rebalance.ways(List.of(room(0, 1, 1, 100), room(1, 10, 90, 100))))
                .hasSize(1);
    }

    @Test
    void aDonorOfFewSlabsGetsNoneThatItWouldHaveToGiveBack() {
        assertThat(Rebalance.ways(List.of(room(0, 1, 1, 2), room(1, 0, 2, 2)))).isEmpty();
        assertThat(Rebalance.ways(List.of(room(0, 2, 0, 2), room(1, 0, 2, 2)))).hasSize(1);
        assertThat(Rebalance.ways(List.of(room(0, 1, 0, 1), room(1, 0, 1, 1)))).isEmpty();
    }

    @Test
    void noSlabGoesToADonorWithoutRoom() {
        assertThat(Rebalance.ways(List.of(room(0, 0, 0, 10), room(1, 10, 0, 10))))
                .isEmpty();
    }

    /** Whatever the donors are, it comes to an end, no slab goes back the way that another one has just come, and all is well then. */
    @Test
    void itConverges() {
        for (long seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            List<Room> rooms = new ArrayList<>();
            int slabs = 0;
            for (int i = 0; i < 2 + random.nextInt(6); i++) {
                int total = 1 + random.nextInt(1 << random.nextInt(9));
                int free = random.nextInt(total + 1);
                int held = random.nextInt(total - free + 1);
                slabs += held;
                rooms.add(room(i, held, free, total));
            }
            int moves = 0;
            Way before = null;
            for (List<Way> ways = Rebalance.ways(rooms); !ways.isEmpty(); ways = Rebalance.ways(rooms)) {
                Way way = ways.get(random.nextInt(ways.size()));
                assertThat(before != null && before.from() == way.to() && before.to() == way.from())
                        .as("seed %s: back and forth", seed)
                        .isFalse();
                before = way;
                Room from = rooms.get(way.from());
                Room to = rooms.get(way.to());
                rooms.set(from.donor(), room(from.donor(), from.held() - 1, from.free() + 1, from.total()));
                rooms.set(to.donor(), room(to.donor(), to.held() + 1, to.free() - 1, to.total()));
                assertThat(++moves).as("seed %s: moves", seed).isLessThanOrEqualTo(slabs * rooms.size());
            }
        }
    }
}
