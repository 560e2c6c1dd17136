package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PageBitmapTest {

    private static final int PAGES = 640;

    @Test
    void agreesWithABitSetOnRandomRanges() {
        long seed = 42;
        Random random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            PageBitmap bitmap = new PageBitmap(arena.allocate(PAGES / 8, 8));
            PageBitmap other = new PageBitmap(arena.allocate(PAGES / 8, 8));
            BitSet model = new BitSet();
            BitSet otherModel = new BitSet();
            for (int i = 0; i < 20_000; i++) {
                int a = random.nextInt(PAGES);
                int b = a + 1 + random.nextInt(Math.min(PAGES - a, 1 + random.nextInt(200)));
                switch (random.nextInt(4)) {
                    case 0 -> {
                        bitmap.set(a, b);
                        model.set(a, b);
                    }
                    case 1 -> {
                        bitmap.clear(a, b);
                        model.clear(a, b);
                    }
                    case 2 -> {
                        bitmap.moveTo(other, a, b);
                        otherModel.or(range(model, a, b));
                        model.clear(a, b);
                    }
                    default -> {
                        other.clear(a, b);
                        otherModel.clear(a, b);
                    }
                }
                assertThat(bitmap.any(a, b))
                        .as("any, step %d", i)
                        .isEqualTo(!range(model, a, b).isEmpty());
                assertThat(bitmap.count(0, PAGES)).isEqualTo(model.cardinality());
                assertThat(other.count(0, PAGES)).isEqualTo(otherModel.cardinality());
                int run = model.get(a) ? model.nextClearBit(a) : model.nextSetBit(a);
                assertThat(bitmap.endOfRun(a, b)).as("run, step %d", i).isEqualTo(run < 0 ? b : Math.min(run, b));
            }
        }
    }

    private static BitSet range(BitSet of, int from, int to) {
        BitSet range = new BitSet();
        range.set(from, to);
        range.and(of);
        return range;
    }
}
