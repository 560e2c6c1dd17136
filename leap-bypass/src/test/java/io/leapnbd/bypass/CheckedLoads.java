package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoopGroup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Clients that share a device's pages among them, and know what each page has to hold, also after the device was opened anew. For the test's thread. */
final class CheckedLoads implements AutoCloseable {

    private static final int PAGE = 4096;

    /** Pages that are looked at with one read. */
    private static final int CHECKED_AT_ONCE = 64;

    private final int[][] seeds;
    private final List<DeviceDriver> drivers = new ArrayList<>();
    private final List<CheckedLoad> running = new ArrayList<>();

    /** All pages are blank. */
    CheckedLoads(int clients, int pages) {
        seeds = new int[clients][pages / clients];
    }

    /** Goes on with a device that has just been opened; each client on a loop of its own. */
    void use(RemoteDevice device, EventLoopGroup group) {
        drivers.clear();
        for (int i = 0; i < seeds.length; i++) {
            drivers.add(new DeviceDriver(device, group.next()));
        }
    }

    /** For requests that the clients know nothing of, but for {@link #blank}. */
    DeviceDriver driver() {
        return drivers.getFirst();
    }

    /** Likewise, on another loop. */
    DeviceDriver otherDriver() {
        return drivers.getLast();
    }

    /** Writes three pages of four, and leaves every fourth as it is. */
    void fill() {
        for (int i = 0; i < seeds.length; i++) {
            for (int page = 0; page < seeds[i].length; page++) {
                if (page % 4 != 3) {
                    seeds[i][page] = page + 1;
                    assertThat(drivers.get(i).write((long) (first(i) + page) * PAGE, CheckedLoad.page(page + 1)))
                            .isZero();
                }
            }
        }
    }

    /** The device's first pages were trimmed. */
    void blank(int pages) {
        for (int i = 0; i < seeds.length; i++) {
            Arrays.fill(seeds[i], 0, Math.clamp(pages - first(i), 0, seeds[i].length), 0);
        }
    }

    private int first(int client) {
        return client * seeds[0].length;
    }

    /** They write, trim and read, until {@link #end}. */
    void begin() {
        for (int i = 0; i < seeds.length; i++) {
            running.add(new CheckedLoad(drivers.get(i), first(i), seeds[i], System.nanoTime()));
        }
    }

    /** They stop; throws what they have found wrong. */
    void end() {
        for (CheckedLoad load : running) {
            load.close();
        }
        running.clear();
    }

    /** Reads every page. */
    void checkAll() {
        for (int i = 0; i < seeds.length; i++) {
            for (int page = 0; page < seeds[i].length; page += CHECKED_AT_ONCE) {
                CheckedLoad.check(drivers.get(i), first(i), seeds[i], page, CHECKED_AT_ONCE);
            }
        }
    }

    @Override
    public void close() {
        end();
    }
}
