package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import io.leapnbd.donor.verbs.VerbsException;
import java.io.IOException;

/**
 * A protection domain: queue pairs of it reach memory that is registered in it, and no other, whatever key they name. Any
 * thread.
 */
public final class MemoryDomain implements AutoCloseable {

    private final IbvContext context;
    private final IbvPd domain;

    private MemoryDomain(IbvContext context, IbvPd domain) {
        this.context = context;
        this.domain = domain;
    }

    /** A new one, of a device. */
    public static MemoryDomain open(IbvContext context) throws IOException {
        return new MemoryDomain(context, context.allocPd());
    }

    IbvContext context() {
        return context;
    }

    IbvPd domain() {
        return domain;
    }

    /**
     * Registers memory, which makes it resident and keeps it so.
     *
     * @param length below 2 GiB
     * @throws IOException if the device or the limit of locked memory does not permit it
     */
    public Region register(long address, int length, Right right) throws IOException {
        IbvMr region =
                domain.regMr(address, length, right.bits).execute().free().getMr();
        return new Region(region);
    }

    /** Gives the domain back, which must not have queue pairs or regions any more. */
    @Override
    public void close() throws IOException {
        try {
            int _ = domain.deallocPd();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new VerbsException("ibv_dealloc_pd: " + e.getMessage(), e);
        }
    }

    /** Who may do what with memory. */
    public enum Right {
        /** The device writes to it what its own machine has asked for. */
        LOCAL(1),
        /** Peers read it. Nobody writes to it but the processors. */
        REMOTE_READ(4);

        private final int bits;

        Right(int bits) {
            this.bits = bits;
        }
    }

    /** Registered memory. */
    public static final class Region implements AutoCloseable {

        private final IbvMr region;

        private Region(IbvMr region) {
            this.region = region;
        }

        /** What work requests of this machine name it by. */
        public int localKey() {
            return region.getLkey();
        }

        /** What peers name it by. */
        public int remoteKey() {
            return region.getRkey();
        }

        /** Ends the registration: when this returns the device does not touch the memory any more. */
        @Override
        public void close() throws IOException {
            region.deregMr().execute().free();
        }
    }
}
