package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.client.NbdReply;
import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Drives a device through a real server with random operations over several connections and compares it with a byte
 * array: reads, writes, trims, zeroes, flushes and advice, on ranges of any alignment, many in flight. Operations whose
 * ranges touch are kept in order when one of them changes something; all others run together.
 *
 * <p>A failure names the seed and the shortest list of operations that was found to fail too.
 */
public final class RandomOperations {

    private static final int CONNECTIONS = 3;
    private static final int DEPTH = 16;

    /** Runs of shortened lists after a failure. */
    private static final int SHRINKING_RUNS = 300;

    private final Supplier<? extends BlockDevice> devices;

    private RandomOperations(Supplier<? extends BlockDevice> devices) {
        this.devices = devices;
    }

    /** One step; its bytes are a function of itself. */
    private record Step(int connection, Command command, int flags, int offset, int length, byte fill) {

        boolean touches(Step other) {
            return offset < other.offset + other.length && other.offset < offset + length;
        }

        byte[] bytes() {
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++) {
                bytes[i] = (byte) (fill + i * 31);
            }
            return bytes;
        }

        @Override
        public String toString() {
            return "connection " + connection + ": " + command + " " + offset + " + " + length
                    + (flags == 0 ? "" : " flags " + flags);
        }
    }

    private record InFlight(Step step, ByteBuffer expected, ByteBuffer found) {}

    /**
     * Checks a device.
     *
     * @param devices makes the same empty device, of 1 KiB to 64 MiB, as often as it is asked
     * @param seed what decides the operations
     * @throws AssertionError with the seed and a short list of operations when a read returns other bytes than the
     *     model's, or a request fails
     */
    public static void check(Supplier<? extends BlockDevice> devices, long seed, int operations) throws Exception {
        RandomOperations run = new RandomOperations(devices);
        List<Step> steps = steps(seed, operations, size(devices.get()));
        String failure = run.failure(steps);
        if (failure != null) {
            List<Step> few = run.shrink(steps);
            String again = run.failure(few);
            throw new AssertionError("seed " + seed + ": " + failure + "; also after these " + few.size()
                    + " operations (" + again + "):\n"
                    + few.stream().map(Step::toString).collect(Collectors.joining("\n")));
        }
    }

    private static int size(BlockDevice device) throws Exception {
        int size = Math.toIntExact(device.size());
        close(device);
        return size;
    }

    private static void close(BlockDevice device) throws Exception {
        if (device instanceof AutoCloseable closeable) {
            closeable.close();
        }
    }

    private static List<Step> steps(long seed, int operations, int size) {
        Random random = new Random(seed);
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < operations; i++) {
            Command command = switch (random.nextInt(16)) {
                case 0, 1, 2, 3, 4, 5 -> Command.READ;
                case 6, 7, 8, 9, 10 -> Command.WRITE;
                case 11, 12 -> Command.TRIM;
                case 13 -> Command.WRITE_ZEROES;
                case 14 -> Command.CACHE;
                default -> Command.FLUSH;
            };
            boolean aligned = random.nextInt(3) == 0;
            int most = random.nextInt(8) == 0 ? Math.min(size, 300_000) : Math.min(size, 9_000);
            int length = 1 + random.nextInt(most);
            int offset = random.nextInt(size - length + 1);
            if (aligned && size >= 8192) {
                length = (length + 4095) / 4096 * 4096;
                offset = Math.min(offset / 4096 * 4096, (size - length) / 4096 * 4096);
            }
            if (command == Command.FLUSH || offset < 0) {
                command = Command.FLUSH;
                offset = 0;
                length = 0;
            }
            int flags = command.changes() && random.nextInt(4) == 0 ? Transmission.CMD_FLAG_FUA : 0;
            if (command == Command.WRITE_ZEROES && random.nextBoolean()) {
                flags |= Transmission.CMD_FLAG_NO_HOLE;
            }
            steps.add(new Step(
                    random.nextInt(CONNECTIONS), command, flags, offset, length, (byte) (1 + random.nextInt(255))));
        }
        return steps;
    }

    /** Runs steps against a fresh device and says what went wrong, or null. */
    private @Nullable String failure(List<Step> steps) throws Exception {
        BlockDevice device = devices.get();
        // The device before the server's loops: its links need them to end.
        try (TestServer server = TestServer.of(device)) {
            List<NbdClient> clients = new ArrayList<>();
            try {
                for (int i = 0; i < CONNECTIONS; i++) {
                    clients.add(NbdClient.connect(i % 2 == 0 ? server.unix() : server.tcp(), TestServer.PATIENCE));
                }
                return run(steps, clients, new byte[Math.toIntExact(device.size())]);
            } finally {
                for (NbdClient client : clients) {
                    client.close();
                }
                close(device);
            }
        }
    }

    private static @Nullable String run(List<Step> steps, List<NbdClient> clients, byte[] model) throws IOException {
        List<Map<Long, InFlight>> inFlight = new ArrayList<>();
        clients.forEach(client -> inFlight.add(new HashMap<>()));
        for (Step step : steps) {
            NbdClient client = clients.get(step.connection);
            String wrong = null;
            for (int i = 0; i < clients.size() && wrong == null; i++) {
                wrong = settle(clients.get(i), inFlight.get(i), step, i == step.connection ? DEPTH : Integer.MAX_VALUE);
            }
            if (wrong != null) {
                return wrong;
            }
            InFlight pending = pending(step, model);
            inFlight.get(step.connection).put(submit(client, pending, model), pending);
        }
        for (int i = 0; i < clients.size(); i++) {
            String wrong = settle(clients.get(i), inFlight.get(i), null, 0);
            if (wrong != null) {
                return wrong;
            }
        }
        Step whole = new Step(0, Command.READ, 0, 0, Math.min(model.length, Transmission.MAX_PAYLOAD), (byte) 0);
        InFlight all = pending(whole, model);
        clients.getFirst().read(0, all.found);
        return difference(all);
    }

    private static long submit(NbdClient client, InFlight pending, byte[] model) throws IOException {
        Step step = pending.step;
        return switch (step.command) {
            case READ -> client.submitRead(step.offset, pending.found);
            case WRITE -> {
                byte[] bytes = step.bytes();
                System.arraycopy(bytes, 0, model, step.offset, step.length);
                yield client.submitWrite(step.offset, ByteBuffer.wrap(bytes), step.flags != 0);
            }
            case TRIM, WRITE_ZEROES -> {
                Arrays.fill(model, step.offset, step.offset + step.length, (byte) 0);
                yield client.submit(step.command, step.flags, step.offset, step.length);
            }
            case FLUSH, CACHE, BLOCK_STATUS -> client.submit(step.command, step.flags, step.offset, step.length);
        };
    }

    private static InFlight pending(Step step, byte[] model) {
        boolean read = step.command == Command.READ;
        byte[] expected = read ? Arrays.copyOfRange(model, step.offset, step.offset + step.length) : new byte[0];
        return new InFlight(step, ByteBuffer.wrap(expected), ByteBuffer.allocate(expected.length));
    }

    /**
     * Awaits replies until fewer than {@code depth} requests are in flight and none that must be over before {@code next}
     * begins.
     */
    private static @Nullable String settle(
            NbdClient client, Map<Long, InFlight> inFlight, @Nullable Step next, int depth) throws IOException {
        while (!inFlight.isEmpty() && (inFlight.size() >= depth || conflicts(inFlight, next))) {
            NbdReply reply = client.await();
            InFlight done = inFlight.remove(reply.cookie());
            if (done == null) {
                return "a reply to a request that was not made";
            }
            String wrong = reply.error() != 0 ? done.step + " failed with error " + reply.error() : difference(done);
            if (wrong != null) {
                return wrong;
            }
        }
        return null;
    }

    private static boolean conflicts(Map<Long, InFlight> inFlight, @Nullable Step next) {
        return next != null
                && inFlight.values().stream()
                        .anyMatch(other ->
                                other.step.touches(next) && (other.step.command.changes() || next.command.changes()));
    }

    private static @Nullable String difference(InFlight done) {
        int at = done.expected.mismatch(done.found.rewind());
        return at < 0
                ? null
                : done.step + " found " + done.found.get(at) + " at " + (done.step.offset + at)
                        + " where the model has " + done.expected.get(at);
    }

    /** Leaves out ever smaller parts of a failing list for as long as it keeps failing. */
    private List<Step> shrink(List<Step> failing) throws Exception {
        List<Step> few = failing;
        int runs = 0;
        int chunk = Math.max(1, few.size() / 2);
        while (runs < SHRINKING_RUNS) {
            boolean shorter = false;
            for (int at = 0; at < few.size() && runs < SHRINKING_RUNS; runs++) {
                List<Step> less = new ArrayList<>(few.subList(0, at));
                less.addAll(few.subList(Math.min(few.size(), at + chunk), few.size()));
                if (failure(less) != null) {
                    few = less;
                    shorter = true;
                } else {
                    at += chunk;
                }
            }
            if (chunk == 1 && !shorter) {
                break;
            }
            chunk = Math.max(1, chunk / 2);
        }
        return few;
    }
}
