package io.leapnbd.bypass.link;

import java.util.UUID;

/** A listener that nothing is made of; a test overrides what it wants to hear. */
public class IgnoringListener implements Donor.Listener {

    /** One. */
    public IgnoringListener() {}

    @Override
    public void donorLost(Donor donor, UUID gone, UUID found, boolean seen) {}

    @Override
    public void donorClaiming(Donor donor, UUID found) {}

    @Override
    public void donorClaimed(Donor donor, UUID found, long epoch) {}

    @Override
    public void fenced(Donor donor) {}
}
