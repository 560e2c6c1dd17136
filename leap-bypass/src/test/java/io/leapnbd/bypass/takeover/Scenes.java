package io.leapnbd.bypass.takeover;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Beginnings of histories that chance comes by too rarely: each leads to where one rule of docs/ownership.md decides. Hosts and donors have the
 * roles that the seed gives them, and chance goes on from there.
 */
final class Scenes {

    static final int NEWCOMER_AT_A_START = 0;
    static final int NEWCOMER_WHILE_SERVING = 1;
    static final int DONOR_RESTARTS_AFTER_A_TAKEOVER = 2;
    static final int COPY_LEFT_OUT = 9;
    static final int SCENES = 19;

    private final TakeoverWorld world;
    private final SimNetwork network;
    private final SimHost one;
    private final SimHost other;
    private final int a;
    private final int b;
    private final int c;
    private final int d;

    Scenes(TakeoverWorld world) {
        this.world = world;
        network = world.network();
        List<SimHost> hosts = new ArrayList<>(world.hosts());
        Collections.shuffle(hosts, world.random());
        one = hosts.get(0);
        other = hosts.get(1);
        List<Integer> donors = new ArrayList<>(List.of(0, 1, 2, 3));
        Collections.shuffle(donors, world.random());
        a = donors.get(0);
        b = donors.get(1);
        c = donors.get(2);
        d = donors.get(3);
    }

    void play() throws IOException {
        play(world.random().nextInt(SCENES));
    }

    void play(int scene) throws IOException {
        switch (scene) {
            case NEWCOMER_AT_A_START -> newcomerAtAStart();
            case NEWCOMER_WHILE_SERVING -> newcomerWhileServing();
            case DONOR_RESTARTS_AFTER_A_TAKEOVER -> donorRestartsAfterATakeover();
            case 3 -> givenUpWhileAnotherIsSilent();
            case 4 -> givenUpAfterAClaimThatNobodySaw();
            case 5 -> restartsDuringATakeover();
            case 6 -> memberIsLeftOut();
            case 7 -> oldFile();
            case 8 -> addressOfAnEndedDonor();
            case COPY_LEFT_OUT -> copyLeftOut();
            case 10, 11, 12 -> copyIsFilled();
            case 13, 14 -> copiesFallSilentInTurn();
            default -> copiesComeAndGo();
        }
    }

    /** Rule 3: a donor that is new, while one does not answer that would not know of it. */
    private void newcomerAtAStart() throws IOException {
        start(one, a, b);
        burst(one);
        one.kill("kill -9");
        cut(b, one, other);
        start(one, a, b, c);
        burst(one);
        splitAndTakeOver();
    }

    /** Rule 3: likewise, and the new one comes while the device is in use. */
    private void newcomerWhileServing() throws IOException {
        start(one, a, b);
        burst(one);
        one.kill("kill -9");
        cut(c, one);
        start(one, a, b, c);
        burst(one);
        cut(b, one);
        pause(7_000);
        mend(c);
        read(one);
        burst(one);
        splitAndTakeOver();
    }

    /** The first server goes on with what it alone can reach; another takes over where the note of before is. */
    private void splitAndTakeOver() throws IOException {
        network.restart(a);
        cut(a, one);
        mend(b);
        cut(b, one);
        cut(c, other);
        takeOver(other, a, b);
        burst(other);
        read(one);
        burst(one);
        read(other);
        read(one);
    }

    /** Rule 4: donors that another server had claimed, and that ended, come back to the first one. */
    private void donorRestartsAfterATakeover() throws IOException {
        start(one, a, b);
        burst(one);
        cut(a, one);
        cut(b, one);
        pause(world.random().nextBoolean() ? 0 : 7_000);
        takeOver(other, a, b);
        burst(other);
        network.restart(a);
        if (world.random().nextBoolean()) {
            network.restart(b);
        }
        mend(a);
        pause(10);
        read(one);
        mend(b);
        pause(10);
        read(one);
        read(other);
    }

    /** Rule 6: one is given up, and one that would not learn of it does not answer. */
    private void givenUpWhileAnotherIsSilent() throws IOException {
        start(one, a, b, c);
        burst(one);
        one.kill("kill -9");
        cut(b, one, other);
        cut(c, one, other);
        giveUp(one, a, b);
        burst(one);
        mend(c);
        if (world.random().nextBoolean()) {
            one.kill("kill -9");
            network.restart(a);
            one.loseFile();
            mend(b);
            takeOver(other, a, b, c);
            burst(other);
            read(other);
        }
    }

    /** Rule 6: the one that is given up has seen a later server than all others. */
    private void givenUpAfterAClaimThatNobodySaw() throws IOException {
        start(one, a, b, c);
        burst(one);
        one.kill("kill -9");
        // Its claims get as far as the first donor.
        int claims = 1 + world.random().nextInt(2);
        world.killAmongClaims(claims);
        takeOver(other, a, b, c);
        world.killAmongClaims(0);
        int seen = a;
        for (int donor : List.of(a, b, c)) {
            if (network.at(donor).describe().epoch()
                    > network.at(seen).describe().epoch()) {
                seen = donor;
            }
        }
        cut(seen, one, other);
        List<Integer> rest = new ArrayList<>(List.of(a, b, c));
        rest.remove(Integer.valueOf(seen));
        giveUp(one, rest.get(0), rest.get(1));
        burst(one);
        mend(seen);
        read(one);
        one.kill("kill -9");
        if (world.random().nextBoolean()) {
            one.loseFile();
        }
        takeOver(world.random().nextBoolean() ? other : one, a, b, c);
        read(one);
        read(other);
    }

    /** Rule 7: a donor ends in the middle of a take-over, and the owner before claims what comes after it. */
    private void restartsDuringATakeover() throws IOException {
        start(one, a, b);
        write(one, 0);
        write(one, 1);
        cut(a, one);
        cut(b, one);
        int at = world.random().nextInt(5);
        for (int i = 0; i < at; i++) {
            world.meanwhile(() -> pause(10));
        }
        world.meanwhile(() -> {
            network.restart(b);
            mend(b);
            pause(10);
            read(one);
            cut(b, other);
        });
        takeOver(other, a, b);
        world.nothingMeanwhile();
        burst(other);
        read(one);
        burst(one);
        read(other);
        mend(a);
    }

    /** Rules 1 and 2: a member is not named, or does not answer, and holds what is newest. */
    private void memberIsLeftOut() throws IOException {
        start(one, a, b);
        burst(one);
        one.kill("kill -9");
        if (world.random().nextBoolean()) {
            start(one, a, b, c);
            burst(one);
            one.kill("kill -9");
        }
        if (world.random().nextBoolean()) {
            one.loseFile();
        } else {
            one.reboot();
        }
        cut(b, one, other);
        if (world.random().nextBoolean()) {
            network.restart(a);
        }
        takeOver(world.random().nextBoolean() ? one : other, a, b, c);
        burst(one);
        mend(b);
        takeOver(other, a, c);
        read(one);
        read(other);
    }

    /** An old copy of a file, after other servers have come and gone. */
    private void oldFile() throws IOException {
        start(one, a, b);
        burst(one);
        if (world.random().nextBoolean()) {
            one.closeInOrder();
        }
        one.keepOrRestoreCopy();
        one.kill("kill -9");
        takeOver(world.random().nextBoolean() ? one : other, a, b);
        burst(one);
        burst(other);
        one.kill("kill -9");
        other.kill("kill -9");
        if (world.random().nextBoolean()) {
            network.restart(b);
        }
        if (world.random().nextBoolean()) {
            network.expire(a);
        }
        if (world.random().nextBoolean()) {
            cut(world.random().nextBoolean() ? a : b, one);
        }
        one.keepOrRestoreCopy();
        takeOver(one, a, b);
        read(one);
    }

    /** Rule 2: a process that came after one that ended is known to nobody but its server. */
    private void addressOfAnEndedDonor() throws IOException {
        start(one, a, b);
        burst(one);
        network.restart(b);
        cut(b, one, other);
        pause(10);
        read(one);
        mend(b);
        cut(a, one);
        pause(10);
        read(one);
        burst(one);
        cut(b, other);
        takeOver(other, a);
        takeOver(other, a, c);
        burst(other);
        read(one);
        read(other);
        mend(a);
        mend(b);
    }

    /** Docs/replicas.md, "Why a copy that was left out never comes back": it has old bytes, and the server that knows so has lost its file. */
    private void copyLeftOut() throws IOException {
        Integer[] named = world.copies() > 2 ? new Integer[] {a, b, c} : new Integer[] {a, b};
        start(one, named);
        write(one, 0);
        write(one, 1);
        pause(1_000);
        boolean stopped = world.random().nextBoolean();
        if (stopped) {
            network.pauseOrGoOn(b);
        } else {
            cut(b, one);
        }
        for (int page = 0; page < Truths.PAGES_A_SLAB; page++) {
            SimServer server = one.server();
            if (server != null) {
                server.change(page, world.random().nextInt(4) == 0);
            }
        }
        pause(3_000);
        one.kill("kill -9");
        one.loseFile();
        switch (world.random().nextInt(4)) {
            case 0 -> network.restart(a);
            case 1 -> {
                network.restart(a);
                network.restart(c);
            }
            case 2 -> network.restart(c);
            default -> {}
        }
        network.mendAll();
        SimHost next = world.random().nextBoolean() ? one : other;
        takeOver(next, a, b, c);
        read(next);
        write(next, 0);
        read(next);
    }

    /**
     * Docs/replicas.md, rules 2, 3 and 7: a copy is filled while its donor, or another one, is silent now and then, and the slab is written to. Then a server
     * without the file goes on with some of the donors.
     */
    private void copyIsFilled() throws IOException {
        Integer[] named = world.random().nextBoolean() ? new Integer[] {a, b, c} : new Integer[] {a, b, c, d};
        start(one, named);
        write(one, 0);
        write(one, 0);
        pause(1_000);
        network.restart(world.random().nextBoolean() ? b : c);
        world.calm(false);
        world.stutter(2 + world.random().nextInt(10));
        for (int i = 6 + world.random().nextInt(12); i > 0; i--) {
            switch (world.random().nextInt(8)) {
                case 0, 1 -> network.slow(one);
                case 2 -> pause(60);
                case 3 -> pause(600);
                case 4 -> cut(named[world.random().nextInt(named.length)], one);
                case 5 -> network.mendAll();
                default -> write(one, 0);
            }
        }
        world.stutter(world.habits().stutters);
        world.calm(true);
        goOnWithSome(named);
    }

    /** Docs/replicas.md, rule 4: of two copies first one is silent, then the other one, before anybody has answered. */
    private void copiesFallSilentInTurn() throws IOException {
        start(one, a, b);
        write(one, 0);
        pause(1_000);
        world.calm(false);
        world.stutter(4 + world.random().nextInt(10));
        int silent = world.random().nextBoolean() ? a : b;
        for (int i = 3 + world.random().nextInt(6); i > 0; i--) {
            cut(silent, one);
            write(one, 0);
            pause(world.random().nextBoolean() ? 60 : 600);
            silent = silent == a ? b : a;
            cut(silent, one);
            if (world.random().nextBoolean()) {
                pause(600);
            }
            mend(silent == a ? b : a);
            write(one, 0);
            pause(world.random().nextBoolean() ? 600 : 3_000);
            if (world.random().nextInt(3) == 0) {
                network.mendAll();
                pause(600);
            }
        }
        world.stutter(world.habits().stutters);
        world.calm(true);
        goOnWithSome(a, b);
    }

    /** The server is killed, its file is lost or not, and one of the donors may have ended. */
    private void goOnWithSome(Integer... named) throws IOException {
        pause(world.random().nextBoolean() ? 100 : 3_000);
        one.kill("kill -9");
        if (world.random().nextInt(4) != 0) {
            one.loseFile();
        }
        if (world.random().nextBoolean()) {
            network.restart(named[world.random().nextInt(named.length)]);
        }
        network.mendAll();
        SimHost next = world.random().nextBoolean() ? one : other;
        takeOver(next, named);
        pause(2_000);
        read(next);
        if (world.random().nextBoolean()) {
            network.restart(named[world.random().nextInt(named.length)]);
            pause(1_000);
            read(next);
        }
    }

    /**
     * Docs/replicas.md: one server after the other, with the file or without it, over donors that are silent for a while or end. Only so many end
     * that there is mostly something left to be believed.
     */
    private void copiesComeAndGo() throws IOException {
        List<Integer> used = new ArrayList<>(List.of(a, b, c));
        if (world.copies() > 2 || world.random().nextBoolean()) {
            used.add(d);
        }
        Integer[] named = used.toArray(Integer[]::new);
        int restarts = 1 + world.random().nextInt(world.copies());
        start(one, named);
        burst(one);
        SimHost server = one;
        int steps = 8 + world.random().nextInt(16);
        world.calm(false);
        for (int i = 0; i < steps; i++) {
            int donor = used.get(world.random().nextInt(used.size()));
            switch (world.random().nextInt(16)) {
                case 0 -> cut(donor, server);
                case 1 -> network.pauseOrGoOn(donor);
                case 2 -> network.slow(server);
                case 3 -> mend(donor);
                case 4 -> network.mendAll();
                case 5, 6 -> pause(700);
                case 7 -> pause(6_000);
                case 8 -> {
                    if (restarts-- > 0) {
                        network.restart(donor);
                    }
                }
                case 9 -> read(server);
                case 10 -> {
                    server.kill("kill -9");
                    start(server, named);
                }
                case 11 -> {
                    server.kill("kill -9");
                    server.loseFile();
                    if (world.random().nextBoolean()) {
                        server = other;
                    }
                    network.mendAll();
                    takeOver(server, named);
                }
                case 12 -> server.keepOrRestoreCopy();
                default -> write(server, world.random().nextInt(2));
            }
            if (server.server() == null) {
                takeOver(server, named);
            }
        }
        world.calm(true);
        server.kill("kill -9");
        if (world.random().nextBoolean()) {
            server.loseFile();
        }
        network.mendAll();
        takeOver(other, named);
        read(other);
    }

    private void start(SimHost host, Integer... named) throws IOException {
        start(host, false, false, named);
    }

    private void takeOver(SimHost host, Integer... named) throws IOException {
        start(host, true, false, named);
    }

    private void giveUp(SimHost host, Integer... named) throws IOException {
        start(host, true, true, named);
    }

    private void start(SimHost host, boolean takeOver, boolean loseMissing, Integer... named) throws IOException {
        if (host.server() == null) {
            host.start(
                    List.of(named),
                    new TakeoverOptions("e", TakeoverWorld.SIZE, host.id(), 1, takeOver, false, loseMissing));
        }
    }

    /** A write to each slab. */
    private void burst(SimHost host) {
        for (int slab = 0; slab < Truths.SLABS; slab++) {
            write(host, slab);
        }
        pause(10);
    }

    private void write(SimHost host, int slab) {
        SimServer server = host.server();
        if (server != null) {
            server.change(slab * Truths.PAGES_A_SLAB + world.random().nextInt(Truths.PAGES_A_SLAB), false);
        }
    }

    private static void read(SimHost host) {
        SimServer server = host.server();
        if (server != null) {
            server.readAll();
        }
    }

    private void cut(int donor, SimHost... from) {
        for (SimHost host : from) {
            world.say("donor " + donor + " is cut off from host " + host.number());
            network.at(donor).cutFrom.set(host.number());
        }
    }

    private void mend(int donor) {
        network.mend(donor);
    }

    private void pause(long millis) {
        network.pass(TimeUnit.MILLISECONDS.toNanos(millis));
    }
}
