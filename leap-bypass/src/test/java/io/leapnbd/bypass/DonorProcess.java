package io.leapnbd.bypass;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** A donor with sockets and a store of its own, as a process would be. */
final class DonorProcess implements AutoCloseable {

    static final int SLAB = 1 << 20;

    final SlabStore store;
    final DonorServer server;

    DonorProcess(int slabs) throws IOException {
        this(slabs, SLAB);
    }

    DonorProcess(int slabs, int slabSize) throws IOException {
        this(StoreSettings.ofMemory((long) slabs * slabSize, slabSize));
    }

    DonorProcess(StoreSettings settings) throws IOException {
        this(SlabStore.open(settings.withLock(false).withReadySlabs(0)));
    }

    /** One of a pool. */
    DonorProcess(int slabs, LinkTls tls) throws IOException {
        this(
                SlabStore.open(StoreSettings.ofMemory((long) slabs * SLAB, SLAB)
                        .withLock(false)
                        .withReadySlabs(0)),
                tls);
    }

    /** One that has its slabs already, at another address. */
    DonorProcess(SlabStore its) throws IOException {
        this(its, null);
    }

    private DonorProcess(SlabStore its, @Nullable LinkTls tls) throws IOException {
        store = its;
        server = DonorServer.start(
                store,
                ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .withLoops(LoopSettings.of(1)),
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
