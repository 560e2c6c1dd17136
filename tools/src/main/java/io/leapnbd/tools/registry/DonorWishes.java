package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.DonorAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which donors a server should begin to use or leave, by what a registry says. What is decided here can cost a server time, and no page: a donor is left by a move of
 * its pages to others, and only if that very donor process has said that it ends.
 *
 * <ol>
 *   <li>A donor that is ready and not used is added, once for each process: one that an operator has removed stays away until it is started anew.
 *   <li>A donor that leaves is left, if the process that says so is the one that the server has met at that address.
 *   <li>One that is not named is not looked at. It may have lost its lease, its network or its registry, and have all pages.
 * </ol>
 *
 * <p>For one thread.
 */
public final class DonorWishes {

    /** A server has numbers for 128 donors, and one that comes back takes another. So a server that has spent these leaves nobody, and uses those that come back. */
    static final int MOST_SPENT = 96;

    /**
     * A donor of the server.
     *
     * @param address of it
     * @param process as {@link DonorRecord#processOf} has it; empty if no link has met it yet
     * @param leaves whether it is being left already
     */
    public record Present(DonorAddress address, String process, boolean leaves) {}

    /** What is to be done. */
    public sealed interface Wish {

        /** With whom. */
        DonorAddress donor();
    }

    /**
     * To be used.
     *
     * @param process that has registered
     */
    public record Add(DonorAddress donor, String process) implements Wish {}

    /** To be left. */
    public record Leave(DonorAddress donor) implements Wish {}

    /** By address: the process that this server has used, or uses. */
    private final Map<String, String> used = new HashMap<>();

    private final boolean rdma;
    private final String machine;

    /**
     * Of a server.
     *
     * @param rdma whether this machine can use RDMA
     * @param machine its number, as in {@link DonorRecord#machine()}
     */
    public DonorWishes(boolean rdma, String machine) {
        this.rdma = rdma;
        this.machine = machine;
    }

    /**
     * What is to be done now.
     *
     * @param listing what the registry says
     * @param present the server's donors
     * @param spent numbers that it has given to donors since its start
     */
    public List<Wish> of(DonorListing listing, List<Present> present, int spent) {
        Map<String, Present> here = new HashMap<>();
        present.forEach(one -> here.put(place(one.address()), one));
        List<Wish> wishes = new ArrayList<>();
        for (DonorRecord one : listing.donors()) {
            String place = one.address().toString();
            Present known = here.get(place);
            if (one.state() != DonorRecord.State.READY) {
                if (known != null && !known.leaves() && isOf(one, known) && spent <= MOST_SPENT) {
                    wishes.add(new Leave(known.address()));
                }
            } else if (known != null) {
                if (!known.leaves() && (one.process().isEmpty() || isOf(one, known))) {
                    used.put(place, one.process());
                }
            } else if (isReachable(one) && !one.process().equals(used.get(place))) {
                wishes.add(new Add(one.address(rdma), one.process()));
            }
        }
        return wishes;
    }

    /** A donor was added. */
    public void added(Add wish) {
        used.put(place(wish.donor()), wish.process());
    }

    /** Donors that a start would use. */
    public List<DonorAddress> usable(DonorListing listing) {
        return listing.donors().stream()
                .filter(one -> one.state() == DonorRecord.State.READY && isReachable(one))
                .map(one -> one.address(rdma))
                .toList();
    }

    /** A loopback address is good on its own machine only. Elsewhere another process may listen there. */
    private boolean isReachable(DonorRecord one) {
        boolean loopback = new io.leapnbd.bypass.link.DonorAddress(
                        one.address().host(), one.address().port())
                .onThisMachine();
        return !loopback || one.machine().isEmpty() || one.machine().equals(machine);
    }

    /** Whether the process that has registered is the one that the server has met there. Of one in DNS nobody knows. */
    private static boolean isOf(DonorRecord record, Present known) {
        return !record.process().isEmpty() && record.process().equals(known.process());
    }

    private static String place(DonorAddress donor) {
        return donor.address().toString();
    }

    /** Addresses of donors, each once, the first counts. */
    public static List<DonorAddress> join(List<DonorAddress> first, List<DonorAddress> more) {
        List<DonorAddress> all = new ArrayList<>(first);
        Set<String> places = new HashSet<>();
        first.forEach(one -> places.add(place(one)));
        more.stream().filter(one -> places.add(place(one))).forEach(all::add);
        return all;
    }
}
