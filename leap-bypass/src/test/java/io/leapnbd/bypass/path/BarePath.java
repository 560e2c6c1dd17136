package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.takeover.ExportNote;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.nbd.spi.Completion;
import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A device's data path with one loop, on a clock of a simulation's and over links of its own, without the cache of pages. For simulations in other packages;
 * for one thread.
 */
public final class BarePath {

    private final AddressMap map;
    private final SteppedLoop steps;
    private final DeviceLoop loop;
    private final SlabLosses losses;
    private final PlacementChanges placing;
    private final Repair repair;
    private final NoteSpreader notes;
    private final ReadPath reads;
    private final WritePath writes;
    private final ZeroPath zeros;
    private final LongSupplier clock;
    private final SlabAllocator allocator;
    private @Nullable Departures departures;

    /** Times are in nanoseconds. */
    public record Times(LongSupplier clock, LongSupplier suspended, long request, long member) {}

    /**
     * As {@code RemoteDevice} makes one.
     *
     * @param file of this server, bound to its donors
     * @param copies that are wanted, each at another donor
     */
    public BarePath(
            StateFile file,
            long size,
            int slabShift,
            long term,
            ExportNote note,
            List<Donor> donors,
            DonorLink[] links,
            int copies,
            Times times,
            RandomGenerator random,
            LoopLatencies latencies) {
        clock = times.clock();
        map = new AddressMap(file, size, slabShift);
        steps = new SteppedLoop(clock);
        loop = new DeviceLoop(
                steps, latencies, links, false, times.request(), times.member(), clock, times.suspended());
        Versions versions = new Versions(term);
        WriteOrder order = new WriteOrder();
        int[] machines = new int[links.length];
        for (int i = 0; i < machines.length; i++) {
            machines[i] = i;
        }
        allocator = new SlabAllocator(map, versions, machines, copies, times.member(), random);
        losses = new SlabLosses(map, versions, donors, (offset, length) -> {}, note::lose, this::thinned);
        placing = new PlacementChanges(map, versions, losses, times.member(), this::dropped);
        Mending mending = new Mending(
                loop, map, order, versions, losses, placing, PageSeals.of(map, order), new SealFigures(donors));
        repair = new Repair(
                loop, () -> List.of(loop), map, order, versions, allocator, placing, losses, mending, times.member());
        notes = new NoteSpreader(note::version, note::encode);
        loop.onTick(() -> {
            // It may come late.
            if (random.nextInt(4) != 0) {
                notes.spread(loop);
            }
        });
        loop.onTick(repair::tick);
        reads = new ReadPath(loop, map, losses, order, mending, hasty(loop, random), new ReadBudget(1));
        writes = new WritePath(loop, map, losses, order, versions, allocator, placing, mending);
        zeros = new ZeroPath(loop, map, losses, order, versions, allocator, placing, writes);
    }

    /** Donors may leave from now on. */
    public void owner(Departures.Owner owner) {
        Departures leaving = new Departures(loop, () -> List.of(loop), map, repair::anyAt, owner);
        departures = leaving;
        loop.onTick(leaving::tick);
    }

    /** Those that leave. */
    public Departures departures() {
        return Objects.requireNonNull(departures);
    }

    /** A donor has come, with a machine of its own. */
    public void add(DonorLink link) {
        allocator.onMachine(loop.links(), loop.links());
        loop.add(link);
    }

    /** A donor is about to come, or does not any more. */
    public void expect(int more) {
        allocator.expectFreed(more);
    }

    /** Says how many copies of each slab there are from now on. */
    public void copies(int number) {
        allocator.copies(number);
    }

    /** Copies of each slab. */
    public int copies() {
        return allocator.copies();
    }

    /** Histories are short: any read may take too long at any time, and the other copy is asked as often as one likes. */
    private static ReadChoice hasty(DeviceLoop loop, RandomGenerator random) {
        return new ReadChoice(loop, TimeUnit.MILLISECONDS.toNanos(100)) {
            @Override
            long patience(Placement placement, Member from, int length) {
                return switch (random.nextInt(4)) {
                    case 0 -> 0;
                    case 1 -> TimeUnit.MILLISECONDS.toNanos(random.nextInt(100));
                    default -> FOREVER;
                };
            }
        };
    }

    /** Reads that were asked of two copies, and those that the second one answered first. */
    public long[] hedges() {
        return new long[] {reads.hedges().sent(), reads.hedges().won()};
    }

    private void thinned(int slab) {
        repair.thinned(slab);
    }

    private void dropped(PlacementChanges.Dropped copy) {
        repair.dropped(copy);
    }

    /** Where the pages are. */
    public AddressMap map() {
        return map;
    }

    /** Told of donors that have ended, by the links. */
    public SlabLosses losses() {
        return losses;
    }

    /** Copies that were left out, that were filled, and that were moved; slabs that were given back. */
    public long[] counts() {
        return new long[] {placing.drops(), repair.progress().filled(), repair.moved(), repair.givenBack()};
    }

    /** Whether nothing is in a slab. */
    public boolean isBlank(int slab) {
        return !map.damaged(slab) && !map.anyWritten((long) slab * map.slabSize(), map.slabSize());
    }

    /** Whether a donor has acknowledged a note of this version. */
    public boolean hasReached(int donor, long version) {
        return notes.hasReached(donor, version);
    }

    /** Time has passed. */
    public void turn() {
        steps.turn();
    }

    /** Something has arrived, and time has not passed. */
    public void runTasks() {
        steps.runTasks();
    }

    /** Whether nothing waits for its time. */
    public boolean idle() {
        return steps.idle();
    }

    /** Nothing new is begun. */
    public void close() {
        loop.close();
    }

    /** Reads a page. */
    public void read(long offset, ByteBuf into, Completion end) {
        ClientRequest client = loop.begin(Operation.READ, clock.getAsLong(), end);
        reads.read(client, offset, Protocol.PAGE_SIZE, into, 0);
        client.endSplitting();
        loop.flush();
    }

    /** Writes a page. */
    public void write(long offset, ByteBuf from, Completion end) {
        ClientRequest client = loop.begin(Operation.WRITE, clock.getAsLong(), end);
        writes.write(client, offset, Protocol.PAGE_SIZE, from, 0);
        client.endSplitting();
        loop.flush();
    }

    /** Trims a page. */
    public void trim(long offset, Completion end) {
        ClientRequest client = loop.begin(Operation.TRIM, clock.getAsLong(), end);
        zeros.zero(client, offset, Protocol.PAGE_SIZE, false, true);
        client.endSplitting();
        loop.flush();
    }
}
