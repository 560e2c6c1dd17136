import io.leapnbd.donor.net.RdmaServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.tools.pool.PoolFolder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * What the right key of a slab is worth to those who should not have it: who has shown no certificate, another identity, another link, and who
 * comes when its link has ended. Prints PASS and FAIL lines. Arguments: an address of an RDMA device, a free port, the folder of a pool.
 */
final class Stranger {

    private static final String EXPORT = "secrets";
    private static final UUID INSTANCE = new UUID(1, 1);
    private static final int PAGE = 4096;
    private static final int MOST = RequestHeader.LENGTH + (64 << 10);

    private static int failures;

    public static void main(String[] arguments) throws Exception {
        InetSocketAddress at = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        Path pool = Path.of(arguments[2]);
        byte[] page = new byte[PAGE];
        Arrays.fill(page, (byte) 7);
        // Under emulation a first handshake takes longer than a donor waits.
        Duration patience = Duration.ofMinutes(1);
        ServerSettings settings = ServerSettings.listenOn(at).withTimeouts(patience, patience, Duration.ofSeconds(2));
        try (LinkTls lends = new PoolFolder(pool.resolve("h1")).donor();
                LinkTls web = new PoolFolder(pool.resolve("web")).server();
                LinkTls mail = new PoolFolder(pool.resolve("mail")).server();
                SlabStore store = SlabStore.open(StoreSettings.ofMemory(4 << 20, 1 << 20));
                RdmaServer server = RdmaServer.start(store, settings, lends)) {
            SlabKey key;
            Peer owner = new Peer(server.address(), web);
            try (owner) {
                owner.claim();
                int slab = owner.ask(Operation.GRANT, 0, 0, 0, 1L << 32 | 1, Unpooled.EMPTY_BUFFER).getInt(ReplyHeader.LENGTH);
                owner.ask(Operation.WRITE, slab, 0, PAGE, 1, Unpooled.wrappedBuffer(page));
                key = SlabKey.decode(owner.ask(Operation.EXPOSE, slab, 0, 0, 0, Unpooled.EMPTY_BUFFER), ReplyHeader.LENGTH);
                check(owner.reads(key) && owner.sees(7), "in a pool the link that a key was told on reads by it");
                refused(server.address(), null, key, "who has shown no certificate reads nothing by the right key");
                refused(server.address(), mail, key, "another identity reads nothing by the right key");
                refused(server.address(), web, key, "another link of the same server reads nothing by the right key");
                check(owner.reads(key) && owner.sees(7), "the owner reads on");
            }
            refused(server.address(), web, key, "when its link has ended a key is worth nothing");
        }
        System.exit(failures == 0 ? 0 : 1);
    }

    private static void refused(InetSocketAddress at, LinkTls tls, SlabKey key, String what) throws Exception {
        try (Peer peer = new Peer(at, tls)) {
            peer.memory.fill((byte) 9);
            check(!peer.reads(key) && peer.sees(9), what);
        }
    }

    private static void check(boolean right, String what) {
        System.out.println((right ? "PASS " : "FAIL ") + what);
        failures += right ? 0 : 1;
    }

    /** A connection, which shows a certificate or none. */
    private static final class Peer implements RdmaClient.Events, AutoCloseable {

        final MemorySegment memory = Arena.global().allocate(PAGE, PAGE);
        private final LocalMemory local = new LocalMemory();
        private final RdmaClient client;
        private final MessageTls tls;
        private Transfers pair;
        private MemoryKeys here;
        private boolean connected;
        private String gone;
        private ByteBuf answer;
        private int status;

        Peer(InetSocketAddress donor, LinkTls shown) throws Exception {
            tls = shown == null ? null : shown.messages(MOST);
            local.add(memory.address(), PAGE);
            client = new RdmaClient(
                    donor, EXPORT, local, new RdmaClient.Shape(4, 2, 4, MessageTls.sealedLength(MOST)), 20_000, this);
            await(() -> connected);
            if (tls != null) {
                shakeHands();
            }
        }

        private interface Condition {
            boolean holds();
        }

        private void await(Condition condition) throws IOException {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (!condition.holds()) {
                if (gone != null || System.nanoTime() - deadline >= 0) {
                    throw new IOException("nothing comes: " + gone);
                }
                if (connected) {
                    boolean _ = pair.awaitCompletions(50);
                }
                client.takeEvents(connected ? 0 : 50);
            }
        }

        private void shakeHands() throws IOException {
            ByteBuf in = Unpooled.EMPTY_BUFFER;
            while (true) {
                ByteBuf out = pair.sendFrame(0).clear();
                MessageTls.Step step;
                while ((step = tls.handshake(in, out)) == MessageTls.Step.TASK) {
                    tls.runTask();
                }
                answer = null;
                pair.send(0, out.readableBytes());
                await(() -> answer != null);
                in = answer;
                if (step == MessageTls.Step.DONE) {
                    if (opened().getByte(0) != Operation.READY) {
                        throw new IOException("not ready");
                    }
                    return;
                }
            }
        }

        private ByteBuf opened() throws IOException {
            int length = tls.open(answer, answer.readableBytes());
            return Unpooled.copiedBuffer(tls.opened().setIndex(0, length));
        }

        void claim() throws Exception {
            ByteBuf body = Unpooled.buffer();
            Hello.observe(EXPORT, 0).encode(body);
            HelloReply found = HelloReply.decode(ask(Operation.HELLO, 0, 0, 0, 0, body).skipBytes(ReplyHeader.LENGTH));
            Hello.claim(
                            EXPORT, 0, false, found.epoch(), found.content(), found.noteVersion(), INSTANCE, INSTANCE, 1, INSTANCE,
                            "stranger", ByteBuffer.allocate(0))
                    .encode(body.clear());
            ByteBuf _ = ask(Operation.HELLO, 0, 0, 0, 0, body);
        }

        ByteBuf ask(byte operation, int slab, int offset, int length, long version, ByteBuf body) throws Exception {
            ByteBuf plain = tls.plain();
            plain.setIndex(0, RequestHeader.LENGTH);
            RequestHeader.encode(plain, 0, operation, 0, slab, offset, length, body.readableBytes(), version);
            plain.writeBytes(body);
            answer = null;
            pair.send(0, tls.seal(plain.writerIndex(), pair.sendFrame(0)));
            await(() -> answer != null);
            ByteBuf opened = opened();
            if (ReplyHeader.status(opened, 0) != Status.OK) {
                throw new IOException("operation " + operation + ": " + Status.name(ReplyHeader.status(opened, 0)));
            }
            return opened;
        }

        boolean reads(SlabKey key) throws IOException {
            status = -1;
            pair.read(0, memory.address(), here.keyOf(memory.address(), PAGE), PAGE, key.address(), key.key());
            try {
                await(() -> status >= 0);
            } catch (IOException e) {
                return false;
            }
            return status == 0;
        }

        boolean sees(int value) {
            for (int i = 0; i < PAGE; i++) {
                if (memory.get(ValueLayout.JAVA_BYTE, i) != value) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void made(Transfers made, MemoryKeys memoryHere, int reads) {
            pair = made;
            here = memoryHere;
        }

        @Override
        public void connected() {
            connected = true;
        }

        @Override
        public void disconnected(String why) {
            gone = why;
        }

        @Override
        public void readDone(int slot) {
            status = 0;
        }

        @Override
        public void sent(int slot) {}

        @Override
        public void received(int slot, int length) {
            answer = Unpooled.copiedBuffer(pair.receiveFrame(slot).setIndex(0, length));
            try {
                pair.receive(slot);
            } catch (IOException e) {
                gone = e.getMessage();
            }
        }

        @Override
        public void failed(int why) {
            if (status <= 0) {
                status = why;
            }
        }

        @Override
        public void close() {
            client.close();
            local.close();
            if (tls != null) {
                tls.close();
            }
        }
    }
}
