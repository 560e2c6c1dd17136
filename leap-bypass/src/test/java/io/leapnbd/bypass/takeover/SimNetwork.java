package io.leapnbd.bypass.takeover;

import io.leapnbd.donor.protocol.SlabName;
import java.util.BitSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The donors at their addresses, what cuts them off, and the time. What a donor's machine says last on a link, the word FENCED or the end of the
 * connection, arrives unless the host is cut off. Then the link hears neither until the network heals, or its own deadline passes.
 */
final class SimNetwork {

    static final int DONORS = 4;

    /** After that the donors have forgotten an export without links. */
    private static final long MOMENT_NANOS = TimeUnit.MILLISECONDS.toNanos(60);

    private static final long WAITING_NANOS = SimServer.REQUEST_NANOS / 16;

    /** Longer times are passed in so many steps. */
    private static final int STEPS = 6;

    private static final long LEASE_NANOS = TimeUnit.SECONDS.toNanos(600);

    private final TakeoverWorld world;
    private final SimDonor[] donors = new SimDonor[DONORS];
    private long now = TimeUnit.HOURS.toNanos(10);

    /** Donors have other addresses than the last server knew. */
    private boolean moved;

    SimNetwork(TakeoverWorld world) {
        this.world = world;
        for (int i = 0; i < DONORS; i++) {
            donors[i] = new SimDonor(world.newId(), this::now);
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

    /**
     * Time passes, in steps that are longer the longer it is: links ping, and hear what has happened, and servers do what is due. While
     * somebody waits for an answer, steps are short beside a request's deadline: a server that has to ask again gets to do so.
     */
    void pass(long nanos) {
        long end = now + nanos;
        do {
            long step = Math.max(MOMENT_NANOS, nanos / STEPS);
            now += Math.min(end - now, anybodyWaits() ? Math.min(step, WAITING_NANOS) : step);
            for (SimDonor donor : donors) {
                donor.arrive(world.random());
            }
            for (SimHost host : world.hosts()) {
                SimServer server = host.server();
                if (server != null && !host.asleep()) {
                    server.turn();
                }
            }
        } while (now < end);
    }

    private boolean anybodyWaits() {
        for (SimHost host : world.hosts()) {
            SimServer server = host.server();
            if (server != null && !host.asleep() && server.isAsked()) {
                return true;
            }
        }
        return false;
    }

    /** Whether a process that lives, and was not given up, holds this very slab for some contents. */
    boolean holds(SlabName slab, UUID content) {
        for (SimDonor donor : donors) {
            if (donor.incarnation.equals(slab.incarnation())) {
                return !donor.givenUp
                        && donor.describe().content().equals(content)
                        && donor.names().contains(slab);
            }
        }
        return false;
    }

    /** All donors end. */
    void close() {
        for (SimDonor donor : donors) {
            donor.end();
        }
    }

    /** A donor's process is stopped, or goes on. */
    void pauseOrGoOn(int i) {
        if (!moved) {
            SimDonor donor = donors[i];
            donor.paused = !donor.paused;
            world.say("donor " + i + (donor.paused ? " is stopped" : " goes on"));
        }
    }

    /** Nothing gets through between a server and a donor for a while. */
    void slow(SimHost host) {
        SimServer server = host.server();
        if (server != null) {
            int link = world.random().nextInt(server.links().size());
            long millis = 20L << world.random().nextInt(8);
            world.say("host " + host.number() + ": link " + link + " is slow for " + millis + " ms");
            server.links().get(link).slow(TimeUnit.MILLISECONDS.toNanos(millis));
        }
    }

    /** A server claims at a process, one that runs or one that starts: the links of the one before are told, and end. */
    void claimed(SimDonor donor, @Nullable SimServer by) {
        for (SimHost host : world.hosts()) {
            SimServer server = host.server();
            if (server != null && server != by && reaches(host, donor)) {
                tell(server, donor, SimLink.Last.FENCED);
            }
        }
    }

    private static void tell(SimServer server, SimDonor by, SimLink.Last word) {
        for (SimLink link : server.links()) {
            if (link.to() == by) {
                link.told(word);
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
        donors[i].paused = false;
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

    /** A donor's machine needs memory, or some, or does not any more. */
    void wantBack(int address) {
        int most = world.random().nextInt(4);
        world.say("donor " + address + (most == 3 ? " lends what it has" : " lends no more than " + most));
        at(address).store.lendAtMost(most == 3 ? Integer.MAX_VALUE : most);
    }

    /** No donor's machine needs memory. */
    void wantNothing() {
        for (int address = 0; address < DONORS; address++) {
            at(address).store.lendAtMost(Integer.MAX_VALUE);
        }
    }

    void mendAll() {
        world.say("all donors can be reached");
        for (SimDonor donor : donors) {
            donor.cutFrom.clear();
            donor.paused = false;
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
                tell(server, was, unread ? SimLink.Last.RESET : SimLink.Last.END);
            }
        }
        was.end();
        donors[i] = new SimDonor(world.newId(), this::now);
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
            if (!donor.cutFrom.isEmpty() || donor.paused) {
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
        donors[i].closeLinks();
        pass(LEASE_NANOS);
        if (!donors[i].describe().hasContent()) {
            world.say("the lease ends at donor " + i);
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
