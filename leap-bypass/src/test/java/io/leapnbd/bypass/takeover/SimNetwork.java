package io.leapnbd.bypass.takeover;

import java.util.BitSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The donors at their addresses, what cuts them off, and the time. What a donor's machine says last on a link, the word FENCED or the end of the
 * connection, arrives unless the host is cut off. Then the link hears neither until the network heals, or its own deadline passes.
 */
final class SimNetwork {

    static final int DONORS = 4;

    /** After that the donors have forgotten an export without links. */
    private static final long LEASE_NANOS = TimeUnit.SECONDS.toNanos(600);

    private final TakeoverWorld world;
    private final SimDonor[] donors = new SimDonor[DONORS];
    private long now = TimeUnit.HOURS.toNanos(10);

    /** Donors have other addresses than the last server knew. */
    private boolean moved;

    SimNetwork(TakeoverWorld world) {
        this.world = world;
        for (int i = 0; i < DONORS; i++) {
            donors[i] = new SimDonor(world.newId());
        }
    }

    static String address(int donor) {
        return "d" + donor;
    }

    /** The process at an address now. */
    SimDonor at(int address) {
        return donors[address];
    }

    SimDonor[] all() {
        return donors;
    }

    boolean moved() {
        return moved;
    }

    /** A server has seen where donors are. */
    void found() {
        moved = false;
    }

    /** Nanoseconds. */
    long now() {
        return now;
    }

    /** Time passes: links ping, and hear what has happened. */
    void pass(long nanos) {
        now += nanos;
        if (nanos > 0) {
            for (SimHost host : world.hosts()) {
                SimServer server = host.server();
                if (server != null && !host.asleep()) {
                    server.links().listen();
                }
            }
        }
    }

    /** A server claims at a process, one that runs or one that starts: the links of the one before are told, and end. */
    void claimed(SimDonor donor, @Nullable SimServer by) {
        for (SimHost host : world.hosts()) {
            SimServer server = host.server();
            if (server != null && server != by && reaches(host, donor)) {
                server.links().told(donor, SimLinks.Last.FENCED);
            }
        }
    }

    private static boolean reaches(SimHost host, SimDonor donor) {
        return !host.asleep() && donor.reachableFrom(host.number());
    }

    /** For one host, or for all. */
    void cutOrMend(int i) {
        if (moved) {
            return;
        }
        BitSet cut = donors[i].cutFrom;
        if (!cut.isEmpty()) {
            mend(i);
        } else if (world.random().nextBoolean()) {
            cut.set(0, TakeoverWorld.HOSTS);
            world.say("donor " + i + " is cut off");
        } else {
            int host = world.random().nextInt(TakeoverWorld.HOSTS);
            cut.set(host);
            world.say("donor " + i + " is cut off from host " + host);
        }
    }

    void mend(int i) {
        donors[i].cutFrom.clear();
        world.say("donor " + i + " is reachable again");
    }

    void cutFrom(SimHost host) {
        if (!moved) {
            world.say("host " + host.number() + " is cut off from all donors");
            for (SimDonor donor : donors) {
                donor.cutFrom.set(host.number());
            }
        }
    }

    /** All but one. */
    void cutMost() {
        if (!moved) {
            int left = world.random().nextInt(DONORS);
            world.say("only donor " + left + " can be reached");
            for (int i = 0; i < DONORS; i++) {
                donors[i].cutFrom.set(0, TakeoverWorld.HOSTS, i != left);
            }
        }
    }

    /** This host reaches some donors, and all others the rest. */
    void partition(SimHost host) {
        if (!moved) {
            world.say("host " + host.number() + " is parted from the others");
            for (SimDonor donor : donors) {
                boolean there = world.random().nextBoolean();
                donor.cutFrom.set(0, TakeoverWorld.HOSTS, there);
                donor.cutFrom.set(host.number(), !there);
            }
        }
    }

    void mendAll() {
        world.say("all donors can be reached");
        for (SimDonor donor : donors) {
            donor.cutFrom.clear();
        }
    }

    void restart(int i) {
        if (moved) {
            return;
        }
        world.say("donor " + i + " restarts");
        SimDonor was = donors[i];
        for (SimHost host : world.hosts()) {
            SimServer server = host.server();
            if (server != null && reaches(host, was)) {
                // Requests that it has not read make a reset of its end.
                boolean unread = world.random().nextInt(8) == 0;
                server.links().told(was, unread ? SimLinks.Last.RESET : SimLinks.Last.END);
            }
        }
        world.truths().gone(was.slabs);
        was.ended = true;
        donors[i] = new SimDonor(world.newId());
        donors[i].cutFrom.or(was.cutFrom);
    }

    /**
     * Only while nobody serves and all is well: a server takes a process that is not where it was for one that has ended. Nothing else happens
     * to donors until a server has seen where they are.
     */
    void swapAddresses() {
        for (SimHost host : world.hosts()) {
            if (host.server() != null || host.starting()) {
                return;
            }
        }
        int one = world.random().nextInt(DONORS);
        int other = world.random().nextInt(DONORS);
        for (SimDonor donor : donors) {
            if (!donor.cutFrom.isEmpty()) {
                return;
            }
        }
        moved = true;
        world.say("donors " + one + " and " + other + " swap addresses");
        SimDonor was = donors[one];
        donors[one] = donors[other];
        donors[other] = was;
    }

    /** Only of an export whose server has no link. */
    void expire(int i) {
        if (moved || ownerOf(donors[i]) != null) {
            return;
        }
        pass(LEASE_NANOS);
        if (ownerOf(donors[i]) == null) {
            world.say("the lease ends at donor " + i);
            world.truths().gone(donors[i].expire());
        }
    }

    /** The server that has links to a donor, and owns the export there. */
    @Nullable
    SimServer ownerOf(SimDonor donor) {
        for (SimHost host : world.hosts()) {
            SimServer server = host.server();
            if (server != null && server.owns(donor) && !host.asleep()) {
                return server;
            }
        }
        return null;
    }
}
