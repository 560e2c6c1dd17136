package io.leapnbd.tools.donor;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.registry.DonorRecord;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.Registration;
import io.leapnbd.tools.registry.RegistryAccess;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A donor that registers itself, with what it lends. Any thread. */
final class DonorRegistration implements AutoCloseable {

    /**
     * Where, and as what.
     *
     * @param etcd the registry
     * @param access how the donor makes itself known there
     * @param address where servers connect; a port of 0 is the one that it listens on. Null for the address that it listens on
     * @param zone what counts as one machine; empty for its host
     */
    record Settings(
            DonorSource.Etcd etcd,
            RegistryAccess access,
            @Nullable HostPort address,
            String zone) {}

    private final SlabStore store;
    private final HostPort address;
    private final Set<Transport> transports;
    private final String zone;
    private final String identity;
    private final String process;
    private final BooleanSupplier leaves;
    private final Settings settings;
    private final Registration registration;

    /**
     * Registers from now on.
     *
     * @param listens where it does, with the port that it really has
     * @param tls what it shows to servers; null without a pool of certificates
     * @param leaves whether it is about to end
     */
    DonorRegistration(
            Settings settings,
            SlabStore store,
            HostPort listens,
            Set<Transport> transports,
            @Nullable LinkTls tls,
            BooleanSupplier leaves) {
        this.settings = settings;
        this.store = store;
        this.transports = transports;
        this.leaves = leaves;
        zone = settings.zone();
        identity = tls == null ? "" : tls.own().name();
        address = address(settings.address(), listens);
        process = DonorRecord.processOf(store.statistics().incarnation());
        registration =
                Registration.ofDonor(settings.etcd(), settings.access(), address.toString(), process, this::entry);
    }

    private static HostPort address(@Nullable HostPort given, HostPort listens) {
        if (given != null) {
            return given.port() == 0 ? new HostPort(given.host(), listens.port()) : given;
        }
        boolean all = listens.host().equals("0.0.0.0") || listens.host().equals("::");
        return all ? new HostPort(Machine.hostName(), listens.port()) : listens;
    }

    private Registration.Entry entry() {
        boolean ends = leaves.getAsBoolean();
        DonorRecord.State state = ends ? DonorRecord.State.LEAVING : DonorRecord.State.READY;
        return new Registration.Entry(record(state).json(), state.toString());
    }

    private DonorRecord record(DonorRecord.State state) {
        StoreStatistics now = store.statistics();
        long slab = now.slabSize();
        List<DonorRecord.Held> held = now.exports().stream()
                .sorted(Comparator.comparingInt(ExportStatistics::slabs).reversed())
                .limit(DonorRecord.MOST_EXPORTS)
                .map(export -> new DonorRecord.Held(
                        export.name(),
                        export.account(),
                        export.slabs() * slab,
                        export.links() > 0 ? -1 : export.leaseSecondsLeft()))
                .toList();
        return new DonorRecord(
                address,
                transports,
                zone,
                identity,
                Machine.number().toString(),
                process,
                state,
                slab,
                now.totalSlabs() * slab,
                now.freeSlabs() * slab,
                held);
    }

    /** Tells at once what has changed. */
    void hurry() {
        registration.hurry();
    }

    /** Why it is not registered, in a sentence; null if it is. */
    @Nullable
    String complaint() {
        String why = registration.complaint();
        return why == null ? null : "not registered in " + settings.etcd() + " as " + address + ": " + why;
    }

    /** Says that this donor has ended in good order. */
    @Override
    public void close() {
        registration.end(record(DonorRecord.State.LEFT).json());
    }
}
