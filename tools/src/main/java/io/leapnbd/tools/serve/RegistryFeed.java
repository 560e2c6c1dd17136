package io.leapnbd.tools.serve;

import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.verbs.VerbsException;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.registry.DonorNews;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.DonorWishes;
import io.leapnbd.tools.registry.FirstDonors;
import io.leapnbd.tools.registry.NoDonorsException;
import io.leapnbd.tools.registry.RegistryAccess;
import io.leapnbd.tools.registry.RememberedDonors;
import java.time.Duration;
import java.util.List;

/**
 * Where a server has news of its donors from.
 *
 * @param source as it was named
 * @param access how the server makes itself known there
 * @param news from there
 * @param wishes what is to be done about them
 * @param remembered donors of the last server
 */
record RegistryFeed(
        DonorSource source, RegistryAccess access, DonorNews news, DonorWishes wishes, RememberedDonors remembered)
        implements AutoCloseable {

    /** Listens from now on. */
    static RegistryFeed open(DonorSource source, RegistryAccess access, ServerSettings settings) {
        return new RegistryFeed(
                source,
                access,
                DonorNews.open(source, access),
                new DonorWishes(hasRdma(), Machine.number().toString()),
                new RememberedDonors(settings.stateFile()));
    }

    private static boolean hasRdma() {
        try {
            Rdma.require();
            return true;
        } catch (VerbsException _) {
            return false;
        }
    }

    /**
     * Waits for donors to begin with.
     *
     * @param bytes that the device needs
     * @param machines on so many they have to be
     * @param patience how long to wait at most
     */
    List<DonorAddress> first(long bytes, int machines, Duration patience)
            throws NoDonorsException, InterruptedException {
        return FirstDonors.await(source, news, wishes, remembered.read(), bytes, machines, patience);
    }

    @Override
    public void close() {
        news.close();
    }
}
