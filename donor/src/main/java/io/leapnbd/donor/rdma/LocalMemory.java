package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvContext;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of this process that RDMA reads may land in: told once, registered once with each device, with no rights for peers.
 * Any thread.
 */
public final class LocalMemory implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(LocalMemory.class);

    /** Regions are smaller than 2 GiB; no page lies across two of them. */
    private static final long MOST = 1L << 30;

    private final List<Range> ranges = new ArrayList<>();
    private final Map<Long, OnDevice> devices = new HashMap<>();

    /** None yet. */
    public LocalMemory() {}

    /** Adds memory, before the first connection is made. It has to stay until {@link #close}. */
    public synchronized void add(long address, long length) {
        for (long at = 0; at < length; at += MOST) {
            ranges.add(new Range(address + at, (int) Math.min(MOST, length - at)));
        }
    }

    synchronized OnDevice on(IbvContext device) throws IOException {
        OnDevice known = devices.get(Rdma.device(device));
        if (known == null) {
            known = new OnDevice(MemoryDomain.open(device), ranges);
            devices.put(Rdma.device(device), known);
        }
        return known;
    }

    /** Ends the registrations; no connection is left. */
    @Override
    public synchronized void close() {
        devices.values().forEach(OnDevice::close);
        devices.clear();
    }

    private record Range(long address, int length) {}

    /** The memory as one device sees it: with what queue pairs need to have reads land there. */
    static final class OnDevice {

        final MemoryDomain domain;
        final MemoryKeys keys;
        private final List<MemoryDomain.Region> regions = new ArrayList<>();

        private OnDevice(MemoryDomain domain, List<Range> ranges) throws IOException {
            this.domain = domain;
            List<MemoryKeys.Region> registered = new ArrayList<>();
            try {
                for (Range range : ranges) {
                    MemoryDomain.Region region = domain.register(range.address, range.length, MemoryDomain.Right.LOCAL);
                    regions.add(region);
                    registered.add(new MemoryKeys.Region(range.address, range.length, region.localKey()));
                }
            } catch (IOException e) {
                close();
                throw e;
            }
            keys = new MemoryKeys(registered);
        }

        private void close() {
            try {
                for (MemoryDomain.Region region : regions) {
                    region.close();
                }
                domain.close();
            } catch (IOException e) {
                LOG.warn("memory stays registered for RDMA: {}", e.getMessage());
            }
        }
    }
}
