package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.takeover.Admissions;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Passes on what links find out about donors. Any thread. */
final class DonorEvents implements Donor.Listener {

    private final CompletableFuture<Donor> fenced = new CompletableFuture<>();
    private final CompletableFuture<Donor> stranded = new CompletableFuture<>();
    private volatile @Nullable DeviceDonors donors;

    DonorEvents() {}

    /** Whose donors these are. Before any link is opened. */
    void of(DeviceDonors device) {
        donors = device;
    }

    CompletableFuture<Donor> fenced() {
        return fenced;
    }

    CompletableFuture<Donor> stranded() {
        return stranded;
    }

    @Override
    public void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {
        present().lost(donor, gone, found, seen);
    }

    @Override
    public boolean isElsewhere(Donor donor, UUID found) {
        return present().list().stream().anyMatch(other -> other != donor && found.equals(other.incarnation()));
    }

    @Override
    public boolean isGivenUpAddress(Donor donor) {
        return present().note().isGivenUpAddress(donor.name());
    }

    @Override
    public void givenUp(Donor donor, UUID found) {
        if (!present().note().isGivenUp(found)) {
            present().note().giveUp(found);
        }
    }

    @Override
    public @Nullable String admit(Donor donor, UUID found) {
        Admissions admissions = present().admissions();
        String why = admissions.admit(donor, found);
        if (why != null && admissions.stranded()) {
            stranded.complete(donor);
        }
        return why;
    }

    @Override
    public void donorClaiming(Donor donor, UUID found) {
        present().note().add(found, donor.name());
    }

    @Override
    public void donorClaimed(Donor donor, UUID found, long epoch) {
        present().claimed(donor, found, epoch);
    }

    /** Somebody else has the name now, at every donor. */
    @Override
    public void foreign(Donor donor) {
        if (present().present().stream().allMatch(Donor::foreign)) {
            fenced.complete(donor);
        }
    }

    @Override
    public void fenced(Donor donor) {
        fenced.complete(donor);
    }

    /** No link is opened before the device is there. */
    private DeviceDonors present() {
        DeviceDonors there = donors;
        if (there == null) {
            throw new IllegalStateException("a link was opened before the device");
        }
        return there;
    }
}
