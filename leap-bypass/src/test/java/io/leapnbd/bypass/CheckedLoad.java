package io.leapnbd.bypass;

import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * One client that writes, trims and reads pages of its own, one request at a time, and knows what each page has to hold. Runs on a thread of its own
 * until it is stopped; what it finds wrong it throws at whoever stops it.
 */
final class CheckedLoad implements AutoCloseable {

    private static final int PAGE = 4096;
    private static final int MOST_PAGES = 8;
    private static final int SLAB_PAGES = DonorProcess.SLAB / PAGE;

    private final DeviceDriver driver;
    private final Random random;
    private final int first;
    private final int[] seeds;
    private final Thread thread;
    private volatile boolean stopped;
    private volatile @Nullable Throwable failure;
    private int nextSeed;

    /**
     * Begins.
     *
     * @param first page of its own
     * @param seeds what its pages hold: a page of that seed, or zeros for 0; kept up to date
     */
    CheckedLoad(DeviceDriver driver, int first, int[] seeds, long seed) {
        this.driver = driver;
        this.first = first;
        this.seeds = seeds;
        random = new Random(seed);
        nextSeed = Arrays.stream(seeds).max().orElse(0);
        thread = Thread.ofPlatform().start(this::run);
    }

    private void run() {
        try {
            while (!stopped) {
                step();
            }
        } catch (Throwable e) {
            failure = e;
        }
    }

    private void step() {
        int at = random.nextInt(seeds.length);
        int count = Math.min(seeds.length - at, 1 + random.nextInt(MOST_PAGES));
        switch (random.nextInt(8)) {
            case 0 -> {
                if (random.nextInt(4) == 0) {
                    // A whole slab.
                    count = Math.min(seeds.length, SLAB_PAGES);
                    at = at / count * count;
                }
                require(driver.trim(offset(at), (long) count * PAGE));
                Arrays.fill(seeds, at, at + count, 0);
            }
            case 1, 2, 3 -> {
                byte[] bytes = new byte[count * PAGE];
                for (int i = 0; i < count; i++) {
                    seeds[at + i] = ++nextSeed;
                    System.arraycopy(page(seeds[at + i]), 0, bytes, i * PAGE, PAGE);
                }
                require(driver.write(offset(at), bytes));
            }
            default -> check(driver, first, seeds, at, count);
        }
    }

    private static void require(int error) {
        if (error != 0) {
            throw new AssertionError("a request ended with error " + error);
        }
    }

    private long offset(int page) {
        return (long) (first + page) * PAGE;
    }

    /** Reads some pages and compares them. */
    static void check(DeviceDriver driver, int first, int[] seeds, int at, int count) {
        byte[] found = driver.read((long) (first + at) * PAGE, count * PAGE);
        for (int i = 0; i < count; i++) {
            byte[] right = page(seeds[at + i]);
            if (!Arrays.equals(right, 0, PAGE, found, i * PAGE, (i + 1) * PAGE)) {
                throw new AssertionError("page " + (first + at + i) + " is not what was written last");
            }
        }
    }

    static byte[] page(int seed) {
        byte[] bytes = new byte[PAGE];
        if (seed != 0) {
            new Random(seed).nextBytes(bytes);
        }
        return bytes;
    }

    /** Ends it, and fails if anything was wrong. */
    @Override
    public void close() {
        stopped = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Throwable wrong = failure;
        if (wrong != null) {
            throw new AssertionError("under load", wrong);
        }
    }
}
