package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Random steps in random order against {@link CacheWorld}; what fails is cut down to few steps before it is shown. */
class PageCacheModelTest {

    private static final int RUNS = 1500;
    private static final int STEPS = 400;

    @Test
    void noOrderOfFetchesWritesFailuresAndReadsBreaksAPromise() {
        long hits = 0;
        long overtaken = 0;
        for (long seed = 0; seed < RUNS; seed++) {
            int[] steps = new Random(seed).ints(STEPS).toArray();
            try (CacheWorld world = new CacheWorld()) {
                run(world, steps);
                hits += world.hits();
                overtaken += world.overtaken();
            } catch (AssertionError | IllegalStateException e) {
                int[] few = shrink(steps);
                throw new AssertionError(
                        "seed " + seed + ", " + few.length + " steps: "
                                + IntStream.of(few).boxed().toList(),
                        e);
            }
        }
        assertThat(hits).as("hits checked").isGreaterThan(RUNS);
        assertThat(overtaken).as("fetches overtaken by a write").isGreaterThan(RUNS);
    }

    private static void run(CacheWorld world, int[] steps) {
        for (int step : steps) {
            world.step(step);
        }
        world.settle();
    }

    private static @Nullable Throwable failure(int[] steps) {
        try (CacheWorld world = new CacheWorld()) {
            run(world, steps);
            return null;
        } catch (AssertionError | IllegalStateException e) {
            return e;
        }
    }

    /** Leaves out stretches of steps, shorter and shorter ones, as long as it still fails. */
    private static int[] shrink(int[] failing) {
        List<Integer> steps = new ArrayList<>(IntStream.of(failing).boxed().toList());
        for (int length = steps.size() / 2; length >= 1; length /= 2) {
            for (int from = 0; from + length <= steps.size(); ) {
                List<Integer> fewer = new ArrayList<>(steps);
                fewer.subList(from, from + length).clear();
                if (failure(fewer.stream().mapToInt(Integer::intValue).toArray()) != null) {
                    steps = fewer;
                } else {
                    from += length;
                }
            }
        }
        return steps.stream().mapToInt(Integer::intValue).toArray();
    }
}
