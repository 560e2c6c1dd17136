package io.leapnbd.donor.net;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A donor with small slabs on a free port of the loopback interface, and a lease clock that only the test moves. */
final class TestDonor implements AutoCloseable {

    static final int SLAB = Protocol.MIN_SLAB_SIZE;

    final AtomicLong clock = new AtomicLong();
    final SlabStore store;
    final DonorServer server;

    TestDonor(int slabs) throws IOException {
        this(slabs, settings -> settings);
    }

    TestDonor(int slabs, UnaryOperator<ServerSettings> change) throws IOException {
        this(slabs, change, null);
    }

    /** One that serves those alone whom it knows. */
    TestDonor(int slabs, UnaryOperator<ServerSettings> change, @Nullable LinkTls tls) throws IOException {
        store = SlabStore.open(StoreSettings.ofMemory((long) slabs * SLAB, SLAB)
                .withReadySlabs(1)
                .withNanoClock(clock::get));
        server = DonorServer.start(
                store,
                change.apply(ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .withLoops(LoopSettings.of(2))),
                tls);
    }

    InetSocketAddress address() {
        return server.address();
    }

    @Override
    public void close() {
        server.close();
        store.close();
    }
}
