import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.link.RdmaConnector;
import io.leapnbd.bypass.link.WriteWatch;
import io.leapnbd.donor.net.RdmaServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.tools.pool.PoolFolder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a pool costs: a link with and one without, to two donors in this process, in turns. Writes and reads of 4 KiB, one at a time. Prints a
 * table, and PASS or FAIL. Arguments: an address of an RDMA device, two free ports from, the folder of a pool.
 */
final class Cost {

    private static final int PAGE = 4096;
    private static final int ROUNDS = 7;
    private static final int REQUESTS = 400;
    private static final int WARM = 6000;
    private static final UUID INSTANCE = new UUID(1, 1);
    private static final AtomicLong VERSIONS = new AtomicLong();

    /** Whether the donor has to be asked for what is read. */
    private static volatile boolean busy;

    public static void main(String[] arguments) throws Exception {
        InetSocketAddress plainAt = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        InetSocketAddress poolAt = new InetSocketAddress(arguments[0], plainAt.getPort() + 1);
        Path pool = Path.of(arguments[2]);
        try (LinkTls lends = new PoolFolder(pool.resolve("h1")).donor();
                LinkTls borrows = new PoolFolder(pool.resolve("web")).server();
                SlabStore one = SlabStore.open(StoreSettings.ofMemory(4 << 20, 1 << 20));
                SlabStore two = SlabStore.open(StoreSettings.ofMemory(4 << 20, 1 << 20));
                RdmaServer plainDonor = RdmaServer.start(one, ServerSettings.listenOn(plainAt));
                RdmaServer poolDonor = RdmaServer.start(
                        two,
                        // Under emulation a first handshake takes longer than a donor waits.
                        ServerSettings.listenOn(poolAt)
                                .withTimeouts(Duration.ofMinutes(1), Duration.ofMinutes(1), Duration.ofSeconds(2)),
                        lends)) {
            Link plain = new Link(plainAt, null);
            Link pooled = new Link(poolAt, borrows);
            String[] names = {"writes", "reads by the device", "reads that are asked for"};
            double[][][] p50 = new double[names.length][2][ROUNDS];
            for (int what = 0; what < names.length; what++) {
                busy = what == 2;
                plain.run(what == 0 ? Operation.WRITE : Operation.READ, WARM);
                pooled.run(what == 0 ? Operation.WRITE : Operation.READ, WARM);
                for (int round = 0; round < ROUNDS; round++) {
                    p50[what][0][round] = plain.run(what == 0 ? Operation.WRITE : Operation.READ, REQUESTS);
                    p50[what][1][round] = pooled.run(what == 0 ? Operation.WRITE : Operation.READ, REQUESTS);
                }
                double without = median(p50[what][0]);
                double with = median(p50[what][1]);
                System.out.printf(
                        "%s of 4 KiB, one at a time, p50: %.1f us without a pool, %.1f us with, ratio %.2f (%s | %s)%n",
                        names[what], without, with, with / without, rounds(p50[what][0]), rounds(p50[what][1]));
            }
            boolean right = pooled.donor.deviceReads() >= (long) REQUESTS * ROUNDS && pooled.donor.shown() != null;
            System.out.println((right ? "PASS " : "FAIL ") + "the cost of a pool is measured, and its reads are the device's");
            plain.close();
            pooled.close();
            System.exit(right ? 0 : 1);
        }
    }

    private static double median(double[] of) {
        double[] sorted = of.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static String rounds(double[] of) {
        StringBuilder all = new StringBuilder();
        for (double one : of) {
            all.append(all.isEmpty() ? "" : " ").append(Math.round(one));
        }
        return all.toString();
    }

    /** One link, with a slab. */
    private static final class Link {

        private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        private final EventLoop loop = group.next();
        private final MemorySegment memory = Arena.global().allocate(1 << 20, PAGE);
        private final ByteBuf buffer = Unpooled.wrappedBuffer(memory.asByteBuffer());
        final Donor donor = new Donor("cost", new Donor.Listener() {
            @Override
            public void donorLost(Donor d, UUID gone, UUID found, boolean seen) {}

            @Override
            public void donorClaiming(Donor d, UUID found) {}

            @Override
            public void donorClaimed(Donor d, UUID found, long epoch) {}

            @Override
            public void fenced(Donor d) {}
        });
        private final DonorLink link;
        private final int handle;

        Link(InetSocketAddress at, LinkTls tls) throws Exception {
            LocalMemory local = new LocalMemory();
            local.add(memory.address(), memory.byteSize());
            WriteWatch watch = new WriteWatch() {
                @Override
                public long stamp(long offset, int length) {
                    return busy ? BUSY : 0;
                }

                @Override
                public boolean undisturbed(long offset, int length, long stamp) {
                    return true;
                }
            };
            DonorAddress address =
                    new DonorAddress(DonorAddress.Transport.RDMA, at.getAddress().getHostAddress(), at.getPort());
            RdmaConnector connector =
                    new RdmaConnector(donor, address, Duration.ofSeconds(30), local, watch, false, _ -> null, tls);
            LinkSettings settings = new LinkSettings(
                    "cost", INSTANCE, INSTANCE, 1, INSTANCE, "cost", () -> ByteBuffer.allocate(0), _ -> false, 1 << 20,
                    Duration.ofSeconds(20), 1 << 20);
            donor.stand(DonorStanding.NONE);
            link = loop.submit(() -> connector.link(loop, 0, settings, TimeUnit.SECONDS.toNanos(20))).get();
            long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
            while (!loop.submit(link::ready).get()) {
                if (System.nanoTime() - deadline >= 0) {
                    throw new IllegalStateException("the link is not ready in 2 minutes: " + donor.whyUnused());
                }
                Thread.sleep(20);
            }
            LinkRequest grant = request(Operation.GRANT, 0);
            CompletableFuture<Boolean> granted = new CompletableFuture<>();
            grant.completion = (r, now) -> granted.complete(r.outcome == LinkRequest.Outcome.OK);
            loop.execute(() -> post(grant));
            if (!granted.get(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("no slab");
            }
            handle = grant.grantedHandle;
        }

        private LinkRequest request(byte operation, int slab) {
            LinkRequest request = new LinkRequest();
            request.operation = operation;
            request.slab = slab;
            request.length = operation == Operation.GRANT ? 0 : PAGE;
            request.buffer = buffer;
            request.version = VERSIONS.incrementAndGet();
            return request;
        }

        private void post(LinkRequest request) {
            request.startNanos = System.nanoTime();
            request.deadlineNanos = request.startNanos + TimeUnit.SECONDS.toNanos(20);
            link.post(request);
            link.flush();
        }

        /** Median of so many, in microseconds. */
        double run(byte operation, int count) throws Exception {
            long[] nanos = new long[count];
            LinkRequest request = request(operation, handle);
            CompletableFuture<Boolean> all = new CompletableFuture<>();
            int[] done = {0};
            request.completion = (r, now) -> {
                nanos[done[0]] = System.nanoTime() - request.startNanos;
                if (r.outcome != LinkRequest.Outcome.OK || ++done[0] == count) {
                    all.complete(r.outcome == LinkRequest.Outcome.OK);
                    return;
                }
                request.version = VERSIONS.incrementAndGet();
                loop.execute(() -> post(request));
            };
            loop.execute(() -> post(request));
            if (!all.get(5, TimeUnit.MINUTES)) {
                throw new IllegalStateException("operation " + operation + " failed: " + request.outcome);
            }
            Arrays.sort(nanos);
            return nanos[count / 2] / 1000.0;
        }

        void close() throws Exception {
            loop.submit(link::close).get();
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
