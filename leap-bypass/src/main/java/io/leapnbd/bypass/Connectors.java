package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.LandingFrames;
import io.leapnbd.bypass.link.LocalConnector;
import io.leapnbd.bypass.link.RdmaConnector;
import io.leapnbd.bypass.link.TcpConnector;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.store.SlabStore;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * How each of a device's donors is reached; makes the connectors. Any thread.
 *
 * @param events told what links find out
 * @param localMemory where RDMA reads land
 * @param landing of each loop, where reads land that may have to be called off; none if no donor is reached by RDMA
 */
record Connectors(
        RemoteDeviceContext context,
        DonorEvents events,
        WriteOrder writeOrder,
        LocalMemory localMemory,
        List<LandingFrames> landing) {

    /** One for each loop, in memory that is told with the rest. */
    static List<LandingFrames> frames(RemoteDeviceContext context, LocalMemory localMemory, int loops) {
        boolean devices = context.donors().stream().anyMatch(donor -> donor.transport() == DonorAddress.Transport.RDMA);
        List<LandingFrames> frames = new ArrayList<>();
        for (int i = 0; devices && i < loops; i++) {
            MemorySegment memory = Arena.ofAuto().allocate(LandingFrames.BYTES, Protocol.PAGE_SIZE);
            localMemory.add(memory.address(), memory.byteSize());
            frames.add(new LandingFrames(Unpooled.wrappedBuffer(memory.asByteBuffer())));
        }
        return frames;
    }

    /**
     * Those of the settings, by number.
     *
     * @throws IOException if this machine has no such transport; one sentence for the operator
     */
    List<DonorConnector> first() throws IOException {
        SlabStore embedded = context.embedded();
        if (embedded != null) {
            return List.of(new LocalConnector(new Donor("embedded", events), embedded));
        }
        List<DonorConnector> connectors = new ArrayList<>();
        for (DonorAddress address : context.donors()) {
            connectors.add(to(address));
        }
        return connectors;
    }

    /** The ways to a donor that nothing is known of. */
    DonorConnector to(DonorAddress address) throws IOException {
        Donor donor = new Donor(address.toString(), events);
        return switch (address.transport()) {
            case TCP -> new TcpConnector(donor, address, context.connectTimeout(), context.buffers(), context.tls());
            case RDMA ->
                new RdmaConnector(
                        donor,
                        address,
                        context.connectTimeout(),
                        localMemory,
                        writeOrder,
                        context.busyPoll(),
                        lane -> lane < landing.size() ? landing.get(lane) : null,
                        context.tls());
        };
    }
}
