package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.LoopLatencies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Hosts, donors and servers of one export, and an oracle that knows what was acknowledged. Servers use the real check, plan, execution, state
 * file, greetings and admissions; donors are {@link SimDonor}s. One seed is one history.
 */
final class TakeoverWorld implements AutoCloseable {

    static final int HOSTS = 3;
    static final long SIZE = (long) Truths.SLABS * SimDonor.SLAB_SIZE;
    private static final int STEPS = 80;
    private static final int MOST_COPIES = 3;

    /** Longer than a request takes, and than a donor may be silent; in steps that are shorter than either. */
    private static final long LONG_NANOS = 6_000_000_000L;

    private final Random random;
    private final Habits habits;
    private final Tally tally;
    private final List<String> story = new ArrayList<>();
    private final Truths truths;
    private final SimNetwork network;
    private final List<SimHost> hosts = new ArrayList<>();

    /** Whether a donor says FENCED before it ends a link; otherwise a take-over looks like the end of the process. */
    private final boolean fencedWord;

    /** Nothing goes wrong by chance. */
    private boolean calm;

    /** What a scene wants to happen in the middle of a start. */
    private final Deque<Incident> meanwhile = new ArrayDeque<>();

    private int claimsUntilKill;
    private long lastValue;
    private int stutters;
    private final int copies;
    private final LoopLatencies latencies = new LatencyRecorders().openLoop();

    /** What went wrong where it could not be thrown. */
    private @Nullable Throwable failure;

    private boolean disturbing;

    TakeoverWorld(Path folder, long seed, Tally tally) throws IOException {
        this(folder, seed, tally, true);
    }

    TakeoverWorld(Path folder, long seed, Tally tally, boolean fencedWord) throws IOException {
        this(folder, seed, tally, fencedWord, 0);
    }

    /**
     * One world.
     *
     * @param copies of each slab; 0 leaves it to the seed
     */
    TakeoverWorld(Path folder, long seed, Tally tally, boolean fencedWord, int copies) throws IOException {
        Path state = Files.createDirectories(folder);
        this.tally = tally;
        this.fencedWord = fencedWord;
        random = new Random(seed * 0x9E3779B97F4A7C15L);
        habits = new Habits(random);
        stutters = habits.stutters;
        this.copies = copies > 0 ? copies : 1 + random.nextInt(MOST_COPIES);
        truths = new Truths(this.copies == 1);
        network = new SimNetwork(this);
        for (int i = 0; i < HOSTS; i++) {
            hosts.add(new SimHost(this, state, i));
        }
    }

    Random random() {
        return random;
    }

    Habits habits() {
        return habits;
    }

    Tally tally() {
        return tally;
    }

    Truths truths() {
        return truths;
    }

    SimNetwork network() {
        return network;
    }

    List<SimHost> hosts() {
        return hosts;
    }

    boolean fencedWord() {
        return fencedWord;
    }

    /** Whether this happens in the middle of a start. */
    boolean disturbing() {
        return disturbing;
    }

    long nextValue() {
        return ++lastValue;
    }

    /** Copies of each slab that are wanted. */
    int copies() {
        return copies;
    }

    LoopLatencies latencies() {
        return latencies;
    }

    /** Something is wrong; the history ends soon. */
    void failed(Throwable how) {
        if (failure == null) {
            failure = how;
            say("WRONG: " + how.getMessage());
        }
    }

    private void check() {
        if (failure != null) {
            throw new AssertionError(failure);
        }
    }

    /** Somebody calls an index lost. */
    void lost(UUID content, int slab, boolean whole, boolean needless, String who) {
        tally.lostSlabs++;
        if (needless) {
            tally.needless++;
            failed(new AssertionError("slab " + slab + " is called lost without need by " + who));
        }
        truths.lost(content, slab, whole);
    }

    UUID newId() {
        return new UUID(random.nextLong(), random.nextLong() | 1);
    }

    void say(String what) {
        story.add(what);
    }

    /** Whether something goes wrong that does so once in so many times. */
    boolean hazard(int in) {
        return !calm && habits.once(in, random);
    }

    /** Whether nothing goes wrong by chance. */
    void calm(boolean from) {
        calm = from;
    }

    /** A scene wants links to be slow after one message of so many. */
    void stutter(int in) {
        stutters = in;
    }

    /** Whether a link is slow from now on. */
    boolean stutters() {
        return !calm && habits.once(stutters, random);
    }

    /** Happens at the next moment at which a start may be disturbed. */
    void meanwhile(Incident incident) {
        meanwhile.add(incident);
    }

    void nothingMeanwhile() {
        meanwhile.clear();
    }

    /** Starts are killed after so many claims; 0 for none. */
    void killAmongClaims(int claims) {
        claimsUntilKill = claims;
    }

    boolean killedByScene() {
        return claimsUntilKill > 0 && --claimsUntilKill == 0;
    }

    String story() {
        return String.join("\n", story);
    }

    /** Plays one scene, and nothing else. */
    void play(int scene) throws IOException {
        calm = true;
        new Scenes(this).play(scene);
        finish();
    }

    void run() throws IOException {
        if (random.nextInt(3) == 0) {
            calm = true;
            new Scenes(this).play();
            calm = false;
        }
        for (int step = 0; step < STEPS; step++) {
            step();
        }
        finish();
    }

    /** All that is left reads everything. */
    private void finish() throws IOException {
        network.mendAll();
        network.wantNothing();
        for (SimHost host : hosts) {
            host.resume();
        }
        readAll();
        calm = true;
        doWithoutOneDonor();
        if (random.nextBoolean()) {
            lastTakeover();
            readAll();
        }
        check();
    }

    private void readAll() {
        for (SimHost host : hosts) {
            SimServer server = host.server();
            if (server != null) {
                server.readAll();
            }
        }
        // Longer than a request may take.
        network.pass(10_000_000_000L);
    }

    /**
     * While all is well, slabs get their copies back. When one donor falls silent then, others do without it: for slabs that are written to at once,
     * and for all of them after a while.
     */
    private void doWithoutOneDonor() {
        for (SimHost host : hosts) {
            SimServer server = host.server();
            if (server == null || !server.isWell()) {
                continue;
            }
            network.pass(LONG_NANOS);
            if (!server.isWell()) {
                continue;
            }
            List<Integer> thin = server.thin();
            if (!thin.isEmpty()) {
                failed(new AssertionError("slabs " + thin + " do not get their copies back: " + server));
            }
            int donor = random.nextInt(SimNetwork.DONORS);
            List<Integer> shared = server.sharedWith(donor);
            say("donor " + donor + " falls silent");
            network.at(donor).cutFrom.set(0, HOSTS);
            for (int slab : shared) {
                if (random.nextBoolean()) {
                    long before = server.acknowledged();
                    server.change(slab * Truths.PAGES_A_SLAB, false);
                    network.pass(LONG_NANOS / 2);
                    if (server.runs() && server.acknowledged() == before) {
                        failed(new AssertionError("slab " + slab + " cannot be written to without donor " + donor));
                    }
                }
            }
            network.pass(LONG_NANOS);
            network.pass(LONG_NANOS);
            for (int slab : shared) {
                if (server.runs() && server.isAt(slab, donor)) {
                    failed(new AssertionError("slab " + slab + " keeps naming donor " + donor));
                }
            }
            network.mend(donor);
            network.pass(LONG_NANOS);
        }
    }

    /** All servers are killed, and the last one has no state file. */
    private void lastTakeover() throws IOException {
        hosts.forEach(host -> host.kill("the end"));
        SimHost host = hosts.get(random.nextInt(HOSTS));
        if (host.breaksPromise(List.of(0, 1, 2, 3))) {
            return;
        }
        host.loseFile();
        host.start(List.of(0, 1, 2, 3), new TakeoverOptions("e", SIZE, host.id(), 1, true, false, false));
    }

    @Override
    public void close() {
        for (SimHost host : hosts) {
            host.kill("the end");
        }
        network.close();
    }

    private void step() throws IOException {
        check();
        network.pass(habits.pause(random));
        SimHost host = hosts.get(habits.host(random));
        SimServer server = host.server();
        // While it starts, only what happens to donors.
        boolean donorsOnly = host.starting() || host.asleep();
        Habits.Event event = donorsOnly ? habits.ofDonors(random) : habits.any(random);
        switch (event) {
            case CHANGE -> {
                if (server != null) {
                    server.change(random.nextInt(Truths.PAGES), random.nextInt(5) == 0);
                }
            }
            case BURST -> {
                for (int slab = 0; slab < Truths.SLABS && server != null && server.runs(); slab++) {
                    server.change(slab * Truths.PAGES_A_SLAB + random.nextInt(Truths.PAGES_A_SLAB), false);
                }
            }
            case READ -> {
                if (server != null) {
                    server.readAll();
                }
            }
            case START -> {
                if (server == null) {
                    host.start();
                }
            }
            case KILL -> host.kill("kill -9");
            case CLOSE -> host.closeInOrder();
            case SUSPEND -> host.suspend();
            case LOSE_FILE -> host.loseFile();
            case REBOOT -> host.reboot();
            case COPY -> host.keepOrRestoreCopy();
            case DONORS -> host.changeDonors();
            case CUT -> network.cutOrMend(random.nextInt(SimNetwork.DONORS));
            case CUT_HOST -> network.cutFrom(host);
            case PARTITION -> network.partition(host);
            case CUT_MOST -> network.cutMost();
            case MEND_ALL -> network.mendAll();
            case RESTART -> network.restart(random.nextInt(SimNetwork.DONORS));
            case SWAP -> network.swapAddresses();
            case EXPIRE -> network.expire(random.nextInt(SimNetwork.DONORS));
            case WANT -> network.wantBack(random.nextInt(SimNetwork.DONORS));
            case PAUSE -> network.pauseOrGoOn(random.nextInt(SimNetwork.DONORS));
            case SLOW -> network.slow(host);
            case RESUME -> host.resume();
        }
    }

    /** Something that a scene wants to happen. */
    interface Incident {

        void happen() throws IOException;
    }

    /** Others go on while a server starts. */
    void disturb(SimHost starting) throws IOException {
        Incident incident = meanwhile.poll();
        if (incident != null) {
            disturbing = true;
            say("  meanwhile");
            incident.happen();
            disturbing = false;
        }
        if (disturbing || !hazard(habits.disturbed)) {
            return;
        }
        disturbing = true;
        say("  meanwhile");
        for (int i = random.nextInt(4); i >= 0; i--) {
            step();
        }
        say("  the start on host " + starting.number() + " goes on");
        disturbing = false;
    }
}
