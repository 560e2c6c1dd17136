package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.BareLink;
import io.leapnbd.bypass.link.BareLink.Answer;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.SimDonor.SimSlab;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A running server's links, one to each donor of its list. Greetings, and what is known of a donor, are the real ones. */
final class SimLinks {

    /** What a donor's machine says last on a link. */
    enum Last {
        /** The word FENCED, since another server has claimed. */
        FENCED,
        /** Nothing but the end of the connection, in good order: the process has ended. */
        END,
        /** A reset, which proves nothing. */
        RESET
    }

    /** A link that hears nothing is given up after so long. */
    private static final long DEADLINE_NANOS = TimeUnit.SECONDS.toNanos(6);

    private final TakeoverWorld world;
    private final SimServer server;
    private final List<Donor> donors = new ArrayList<>();
    private final List<Link> links = new ArrayList<>();

    SimLinks(
            TakeoverWorld world,
            SimServer server,
            List<Integer> named,
            List<DonorStanding> standings,
            LinkSettings settings,
            Donor.Listener listener) {
        this.world = world;
        this.server = server;
        for (int place = 0; place < named.size(); place++) {
            int address = named.get(place);
            Donor donor = BareLink.donor(SimNetwork.address(address), listener, server.host()::now);
            donor.stand(standings.get(place));
            donors.add(donor);
            links.add(new Link(donor, address, settings));
        }
    }

    /** As the server knows them, in the order of its list. */
    List<Donor> donors() {
        return donors;
    }

    /** The process that a link to a place of the list is connected to, if it is still this server's. */
    @Nullable
    SimDonor owned(int place) {
        SimDonor to = links.get(place).to;
        return to != null && server.owns(to) ? to : null;
    }

    /** The process of this identity, if a link is connected to it and it is still this server's. */
    @Nullable
    SimDonor owned(UUID incarnation) {
        for (Link link : links) {
            if (link.to != null && link.to.incarnation.equals(incarnation) && server.owns(link.to)) {
                return link.to;
            }
        }
        return null;
    }

    /** A request was answered: it proves that the export is still this server's. */
    void answered(SimDonor by) {
        by.answered = world.network().now();
        for (Link link : links) {
            if (by == link.to) {
                link.heard = server.host().now();
                link.donor.proven(link.heard);
            }
        }
    }

    /** The last that a donor says, on its way. */
    void told(SimDonor by, Last last) {
        for (Link link : links) {
            if (by == link.to && link.last == null) {
                link.last = last;
            }
        }
    }

    /** What has arrived is heard, and a ping is answered where nothing has. */
    void listen() {
        for (Link link : links) {
            if (server.runs()) {
                link.listen();
            }
        }
    }

    /** Links that are not connected try to be. */
    void connect() {
        for (Link link : links) {
            if (server.runs()) {
                link.connect();
            }
        }
    }

    /** One of them. */
    private final class Link {

        private final Donor donor;
        private final int address;
        private final BareLink bare;
        private @Nullable SimDonor to;
        private @Nullable Last last;
        private long heard;

        Link(Donor donor, int address, LinkSettings settings) {
            this.donor = donor;
            this.address = address;
            bare = new BareLink(donor, settings);
        }

        private void listen() {
            SimDonor process = to;
            if (process == null) {
                return;
            }
            if (last == null
                    && !world.network().at(address).cutFrom.get(server.host().number())) {
                if (process.ended) {
                    // What it said while this host was cut off may have ended with its machine. A link that was fenced
                    // ends
                    // by a reset, if the word is not read.
                    boolean reset = !process.ownedBy(server.instance())
                            || world.random().nextBoolean();
                    last = reset && world.fencedWord() ? Last.RESET : Last.END;
                } else if (server.owns(process)) {
                    answered(process);
                } else {
                    // A word that nobody reads for too long is given up.
                    last = world.random().nextInt(4) == 0 ? Last.RESET : Last.FENCED;
                }
            }
            Last heardLast = last == Last.FENCED && !world.fencedWord() ? Last.END : last;
            if (heardLast == Last.FENCED) {
                server.fenced("the last word of donor " + address);
            } else if (heardLast != null) {
                to = null;
                say(heardLast == Last.END ? "is read to its end" : "is reset");
                if (heardLast == Last.END) {
                    bare.readToItsEnd();
                } else {
                    bare.broken();
                }
            } else if (server.host().now() - heard > DEADLINE_NANOS) {
                to = null;
                say("is given up");
                bare.broken();
            }
        }

        private void say(String what) {
            world.say("  host " + server.host().number() + ": the link to donor " + address + " " + what);
        }

        private void connect() {
            SimDonor there = world.network().at(address);
            if (to != null || !there.reachableFrom(server.host().number())) {
                return;
            }
            switch (bare.greet(hello -> answer(there, hello))) {
                case READY -> {
                    to = there;
                    last = null;
                    heard = server.host().now();
                    there.answered = world.network().now();
                }
                case FENCED -> server.fenced("donor " + address);
                case LATER -> {}
            }
        }

        private Answer answer(SimDonor there, Hello hello) {
            if (hello.mode() != Hello.Mode.CLAIM) {
                return there.answer(hello);
            }
            Owner by = new Owner(
                    hello.instance(),
                    hello.claimant().term(),
                    hello.claimant().host(),
                    hello.claimant().owner(),
                    0);
            Map<Integer, SimSlab> back = there.claim(
                    hello.epoch(),
                    hello.foundContent(),
                    hello.foundNote(),
                    hello.blank(),
                    hello.content(),
                    by,
                    Note.decode(hello.note()));
            if (back == null) {
                return new Answer(Status.CONFLICT, there.describe());
            }
            world.say("  host " + server.host().number() + " claims at donor " + address);
            world.network().claimed(there, server);
            world.truths().requireUnused(hello.content(), back);
            return new Answer(Status.OK, there.describe());
        }
    }
}
