package io.leapnbd.donor.net;

import io.leapnbd.donor.rdma.MemoryDomain;
import java.io.IOException;

/**
 * A device's protection domain, for queue pairs and for the slabs that their peers read.
 *
 * @param domain what queue pairs are made in
 */
record RdmaDomain(MemoryDomain domain) implements ExportMemory.Domain {

    @Override
    public ExportMemory.Registration register(long address, int length) throws IOException {
        MemoryDomain.Region region = domain.register(address, length, MemoryDomain.Right.REMOTE_READ);
        return new ExportMemory.Registration() {
            @Override
            public int key() {
                return region.remoteKey();
            }

            @Override
            public void close() throws IOException {
                region.close();
            }
        };
    }

    @Override
    public void close() throws IOException {
        domain.close();
    }
}
