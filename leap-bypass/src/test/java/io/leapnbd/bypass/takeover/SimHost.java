package io.leapnbd.bypass.takeover;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A machine with a state folder. */
final class SimHost {

    private final TakeoverWorld world;
    private final int number;
    private final UUID id;
    private final Path state;
    private final Path copy;
    private UUID boot;
    private @Nullable SimServer server;

    /** What was named at its last start. */
    private List<Integer> usual = List.of();

    /** Its server is in the middle of its start. */
    private boolean starting;

    /** Suspended: its clock stands still. */
    private boolean asleep;

    private long sleptSince;
    private long slept;

    /** When it was last resumed, by its clock. */
    private long wokeAt;

    SimHost(TakeoverWorld world, Path folder, int number) {
        this.world = world;
        this.number = number;
        id = world.newId();
        boot = world.newId();
        state = folder.resolve("host" + number + ".state");
        copy = folder.resolve("host" + number + ".copy");
    }

    int number() {
        return number;
    }

    UUID id() {
        return id;
    }

    UUID boot() {
        return boot;
    }

    Path state() {
        return state;
    }

    @Nullable
    SimServer server() {
        return server;
    }

    boolean starting() {
        return starting;
    }

    boolean asleep() {
        return asleep;
    }

    /** Nanoseconds by its clock. */
    long now() {
        return (asleep ? sleptSince : world.network().now()) - slept;
    }

    /** For how long it was suspended in all. */
    long slept() {
        return slept;
    }

    /** What it asked before proves nothing. */
    long wokeAt() {
        return wokeAt;
    }

    void start() throws IOException {
        Habits habits = world.habits();
        boolean takeOver = habits.once(habits.takeOver, world.random());
        boolean fresh = habits.once(habits.fresh, world.random());
        boolean loseMissing = habits.once(habits.loseMissing, world.random()) && !world.disturbing();
        List<Integer> named = named();
        if (named.isEmpty() || breaksPromise(named)) {
            return;
        }
        usual = List.copyOf(named);
        start(named, new TakeoverOptions("e", TakeoverWorld.SIZE, id, 1, takeOver, fresh, loseMissing));
    }

    private List<Integer> named() {
        Habits habits = world.habits();
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < SimNetwork.DONORS; i++) {
            all.add(i);
        }
        Collections.shuffle(all, world.random());
        // Who has moved donors names them all, until a server has seen where they are.
        Habits.Naming naming = world.network().moved() ? Habits.Naming.ALL : habits.naming(world.random());
        boolean other = world.random().nextInt(4) == 0;
        List<Integer> named = new ArrayList<>();
        switch (naming) {
            case ANY ->
                all.stream()
                        .filter(_ -> !habits.once(habits.unnamed, world.random()))
                        .forEach(named::add);
            case ALL -> named.addAll(all);
            case REACHABLE ->
                all.stream()
                        .filter(donor -> world.network().at(donor).reachableFrom(number)
                                || (other && world.random().nextBoolean()))
                        .forEach(named::add);
            case USUAL -> {
                named.addAll(usual);
                if (usual.isEmpty()) {
                    named.addAll(all.subList(0, 2));
                } else if (other && !named.remove((Object) all.getFirst())) {
                    named.add(all.getFirst());
                }
            }
        }
        return named;
    }

    /** With these donors, as an operator named them. */
    void start(List<Integer> named, TakeoverOptions options) throws IOException {
        world.say("host " + number + " starts with donors " + named + (options.takeOver() ? " --take-over" : "")
                + (options.fresh() ? " --fresh" : "") + (options.loseMissing() ? " --lose-missing" : ""));
        if (options.loseMissing()) {
            // Who gives donors up makes sure first that no other server lives on with them.
            for (SimHost other : world.hosts()) {
                other.kill("the operator's kill");
            }
        }
        starting = true;
        SimServer taken = new SimStart(world, this, options, named).run();
        starting = false;
        if (taken != null) {
            server = taken;
            world.network().found();
            taken.settle();
            taken.readAll();
        }
    }

    /** Nobody starts from donors that were given up, and no others. */
    boolean breaksPromise(List<Integer> named) {
        Set<UUID> givenUp = new HashSet<>();
        Set<UUID> alive = new HashSet<>();
        for (int i : named) {
            SimDonor donor = world.network().at(i);
            if (donor.reachableFrom(number)) {
                (donor.givenUp ? givenUp : alive).add(donor.describe().content());
            }
        }
        return !alive.containsAll(givenUp);
    }

    /** An operator adds a donor to the running server, or removes one, and names them so at the next start. */
    void changeDonors() {
        SimServer running = server;
        if (running != null && !world.network().moved()) {
            running.donors().change(world.random().nextInt(SimNetwork.DONORS));
            usual = running.donors().addresses();
        }
    }

    void kill(String how) {
        SimServer killed = server;
        if (killed != null) {
            world.say(how + " of the server on host " + number);
            server = null;
            killed.end(false);
        }
    }

    void closeInOrder() {
        SimServer closed = server;
        if (closed != null) {
            world.say("the server on host " + number + " ends in good order");
            server = null;
            closed.end(true);
        }
    }

    void loseFile() throws IOException {
        kill("kill -9");
        world.say("host " + number + " loses its state file");
        Files.deleteIfExists(state);
    }

    void loseCopy() throws IOException {
        Files.deleteIfExists(copy);
    }

    void reboot() {
        kill("a power cut");
        world.say("host " + number + " reboots, its state file is on a disk");
        boot = world.newId();
    }

    /** Its links hear nothing meanwhile, and its clock stands still. */
    void suspend() {
        if (!asleep) {
            world.say("host " + number + " is suspended");
            sleptSince = world.network().now();
            asleep = true;
        }
    }

    void resume() {
        if (asleep) {
            world.say("host " + number + " goes on");
            slept += world.network().now() - sleptSince;
            asleep = false;
            wokeAt = now();
            SimServer was = server;
            if (was != null) {
                was.turn();
            }
        }
    }

    /** A copy that was kept in another boot is an old file. */
    void keepOrRestoreCopy() throws IOException {
        if (Files.exists(copy)) {
            kill("kill -9");
            world.say("host " + number + " has an old copy of its state file again, and reboots");
            Files.move(copy, state, StandardCopyOption.REPLACE_EXISTING);
            boot = world.newId();
        } else if (Files.exists(state)) {
            world.say("host " + number + " keeps a copy of its state file");
            Files.copy(state, copy);
        }
    }
}
