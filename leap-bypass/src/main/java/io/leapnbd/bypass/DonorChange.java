package io.leapnbd.bypass;

import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorStanding;
import java.util.List;

/**
 * A change of a running server's donors that was checked, and not made yet.
 *
 * @param added donors that are new
 * @param removed numbers of those that are emptied and removed
 * @param givenUp numbers of those that do not answer, and are removed with what only they hold
 * @param kept numbers of those that were to be removed, and are not
 */
public record DonorChange(List<Newcomer> added, List<Integer> removed, List<Integer> givenUp, List<Integer> kept) {

    /** Whether it changes nothing. */
    public boolean isEmpty() {
        return added.isEmpty() && removed.isEmpty() && givenUp.isEmpty() && kept.isEmpty();
    }

    /**
     * A donor that is to be added.
     *
     * @param address where it is
     * @param connector the ways to it
     * @param standing what this server is there already
     */
    public record Newcomer(DonorAddress address, DonorConnector connector, DonorStanding standing) {}
}
