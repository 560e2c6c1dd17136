package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.registry.DonorRecord.State;
import io.leapnbd.tools.registry.DonorWishes.Add;
import io.leapnbd.tools.registry.DonorWishes.Leave;
import io.leapnbd.tools.registry.DonorWishes.Present;
import io.leapnbd.tools.registry.DonorWishes.Wish;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DonorWishesTest {

    private static final String HERE = "this machine";

    private final DonorWishes wishes = new DonorWishes(false, HERE);

    @Test
    void addsADonorThatIsReady() {
        assertThat(wishes.of(listing(donor("h1", "p1", State.READY)), List.of(), 0))
                .singleElement()
                .isInstanceOfSatisfying(
                        Add.class, add -> assertThat(add.donor()).hasToString("tcp://h1:1"));
    }

    @Test
    void leavesADonorOnlyIfTheProcessThatEndsIsTheOneThatIsUsed() {
        DonorListing ends = listing(donor("h1", "p1", State.LEAVING));
        assertThat(wishes.of(ends, List.of(present("h1", "p1")), 1))
                .singleElement()
                .isInstanceOf(Leave.class);
        assertThat(wishes.of(ends, List.of(present("h1", "p2")), 1)).isEmpty();
        assertThat(wishes.of(ends, List.of(present("h1", "")), 1)).isEmpty();
        assertThat(wishes.of(listing(donor("h1", "p1", State.LEFT)), List.of(present("h1", "p1")), 1))
                .hasSize(1);
    }

    @Test
    void neverLeavesADonorThatIsNotNamed() {
        assertThat(wishes.of(listing(), List.of(present("h1", "p1"), present("h2", "")), 2))
                .isEmpty();
    }

    @Test
    void leavesWhoeverAnOperatorHasRemovedAloneUntilItIsStartedAnew() {
        DonorListing ready = listing(donor("h1", "p1", State.READY));
        assertThat(wishes.of(ready, List.of(present("h1", "p1")), 1)).isEmpty();
        assertThat(wishes.of(ready, List.of(), 1)).isEmpty();
        assertThat(wishes.of(listing(donor("h1", "p2", State.READY)), List.of(), 1))
                .hasSize(1);
    }

    @Test
    void leavesNobodyWhenTheNumbersRunOut() {
        DonorListing ends = listing(donor("h1", "p1", State.LEAVING));
        assertThat(wishes.of(ends, List.of(present("h1", "p1")), DonorWishes.MOST_SPENT))
                .hasSize(1);
        assertThat(wishes.of(ends, List.of(present("h1", "p1")), DonorWishes.MOST_SPENT + 1))
                .isEmpty();
    }

    @Test
    void takesALoopbackAddressForItsOwnMachinesOnly() {
        assertThat(wishes.of(listing(donor("127.0.0.1", "p1", State.READY)), List.of(), 0))
                .hasSize(1);
        DonorWishes elsewhere = new DonorWishes(false, "another machine");
        assertThat(elsewhere.of(listing(donor("127.0.0.1", "p1", State.READY)), List.of(), 0))
                .isEmpty();
        assertThat(elsewhere.usable(listing(donor("127.0.0.1", "p1", State.READY))))
                .isEmpty();
    }

    @Test
    void joinsListsByAddressAndTheFirstCounts() {
        List<DonorAddress> joined = DonorWishes.join(
                DonorAddress.parseList("h1:1?zone=a,h2:1"), DonorAddress.parseList("h1:1?zone=b,h3:1"));
        assertThat(joined).extracting(DonorAddress::machine).containsExactly("zone a", "h2", "h3");
    }

    /**
     * Histories: donors are started, ended in good order, killed, and forgotten by the registry; news arrive late, twice, or not at all until the next list; the
     * registry is brought back from an older copy; changes at the server fail; an operator removes donors. What must hold is asked of the truth, not of the news.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void followsThePoolWhateverBecomesOfTheNews(int seed) {
        for (int i = 0; i < 400; i++) {
            new History(1_000L * seed + i).run();
        }
    }

    private static final class History {

        private static final List<String> HOSTS = List.of("h1", "h2", "h3", "h4");

        private final long seed;
        private final Random random;
        private final DonorWishes wishes = new DonorWishes(false, HERE);
        private final RegistryView view = new RegistryView();

        /** The registry. */
        private final TreeMap<String, String> registry = new TreeMap<>();

        private long revision = 1;
        private TreeMap<String, String> copy = new TreeMap<>();
        private long copyRevision = 1;
        private Deque<Runnable> underWay = new ArrayDeque<>();

        /** The truth: by host the process that lives; processes that have said that they end. */
        private final Map<String, String> alive = new HashMap<>();

        private final Set<String> ended = new HashSet<>();
        private final Set<String> removedByHand = new HashSet<>();
        private int processes;

        /** The server's donors: by host the process that its link has met. */
        private final Map<String, String> used = new TreeMap<>();

        History(long seed) {
            this.seed = seed;
            random = new Random(seed);
            view.list(revision, registry);
        }

        void run() {
            for (int step = 0; step < 60; step++) {
                String host = HOSTS.get(random.nextInt(HOSTS.size()));
                switch (random.nextInt(11)) {
                    case 0, 1 -> start(host);
                    case 2 -> end(host);
                    case 3 -> kill(host);
                    case 4 -> forget(host);
                    case 5 -> removeByHand(host);
                    case 6 -> keepCopy();
                    case 7 -> bringCopyBack();
                    case 8 -> list();
                    case 9 -> meet();
                    default -> hear();
                }
                follow(random.nextInt(3) == 0);
            }
            settle();
        }

        private void start(String host) {
            if (alive.containsKey(host)) {
                return;
            }
            String process = "p" + processes++;
            alive.put(host, process);
            write(host, process, State.READY);
        }

        private void end(String host) {
            String process = alive.remove(host);
            if (process != null) {
                ended.add(process);
                write(host, process, State.LEAVING);
                write(host, process, State.LEFT);
            }
        }

        private void kill(String host) {
            if (alive.remove(host) != null) {
                remove(host);
            }
        }

        /** A lease ends while its donor lives: it will register again some time. */
        private void forget(String host) {
            remove(host);
        }

        private void removeByHand(String host) {
            String process = used.get(host);
            if (process != null && process.equals(alive.get(host)) && process.equals(named(host))) {
                // The server has looked at the news while it used it.
                used.remove(host);
                removedByHand.add(process);
            }
        }

        private String named(String host) {
            String value = view.values().get(host);
            return value == null ? "" : DonorRecord.parse(value).process();
        }

        private void keepCopy() {
            copy = new TreeMap<>(registry);
            copyRevision = revision;
        }

        private void bringCopyBack() {
            registry.clear();
            registry.putAll(copy);
            revision = copyRevision;
            // Every watch ends with the process that is stopped for it.
            list();
        }

        private void write(String host, String process, State state) {
            String value = donor(host, process, state).json();
            registry.put(host, value);
            long at = ++revision;
            send(() -> {
                boolean _ = view.put(host, value, at);
            });
        }

        private void remove(String host) {
            registry.remove(host);
            long at = ++revision;
            send(() -> {
                boolean _ = view.remove(host, at);
            });
        }

        private void send(Runnable event) {
            underWay.add(event);
            if (random.nextInt(4) == 0) {
                underWay.add(event);
            }
        }

        private void hear() {
            for (int n = random.nextInt(4); n > 0 && !underWay.isEmpty(); n--) {
                underWay.remove().run();
            }
        }

        /** A list, and a new watch after it. What was under way may still come. */
        private void list() {
            Deque<Runnable> late = underWay;
            underWay = new ArrayDeque<>();
            view.list(revision, registry);
            if (random.nextBoolean() && revision > copyRevision) {
                late.stream().limit(random.nextInt(late.size() + 1)).forEach(Runnable::run);
                assertThat(view.values())
                        .as("what is older than a list (seed %d)", seed)
                        .isEqualTo(registry);
            }
        }

        /** Links meet whoever is behind their address. */
        private void meet() {
            used.replaceAll((host, met) -> alive.getOrDefault(host, met));
        }

        private void follow(boolean fails) {
            for (Wish wish : wanted()) {
                String host = wish.donor().address().host();
                switch (wish) {
                    case Leave _ -> {
                        assertThat(ended)
                                .as("who is left has said that it ends (seed %d)", seed)
                                .contains(used.get(host));
                        if (!fails) {
                            used.remove(host);
                        }
                    }
                    case Add add -> {
                        assertThat(used)
                                .as("who is added is not there (seed %d)", seed)
                                .doesNotContainKey(host);
                        assertThat(removedByHand)
                                .as("an operator has removed it (seed %d)", seed)
                                .doesNotContain(add.process());
                        String lives = alive.get(host);
                        if (!fails && lives != null) {
                            used.put(host, lives);
                            wishes.added(add);
                        }
                    }
                }
            }
        }

        private List<Wish> wanted() {
            List<Present> present = used.entrySet().stream()
                    .map(one -> present(one.getKey(), one.getValue()))
                    .toList();
            return wishes.of(DonorListing.of(view.values()), present, 0);
        }

        /** All that live register again, as they do when they find that they are forgotten; and all news arrive. */
        private void settle() {
            alive.forEach((host, process) -> write(host, process, State.READY));
            list();
            meet();
            for (int i = 0; i < 3; i++) {
                follow(false);
                meet();
            }
            Set<String> wanted = alive.entrySet().stream()
                    .filter(one -> !removedByHand.contains(one.getValue()))
                    .map(Map.Entry::getKey)
                    .collect(Collectors.toSet());
            assertThat(used.keySet())
                    .as("all that live are used (seed %d)", seed)
                    .containsAll(wanted);
            List<String> left = new ArrayList<>(used.values());
            left.retainAll(ended);
            left.removeIf(process -> !registry.containsValue(
                    donor(hostOf(process), process, State.LEFT).json()));
            assertThat(left)
                    .as("all that are known to have ended are left (seed %d)", seed)
                    .isEmpty();
        }

        private String hostOf(String process) {
            return used.entrySet().stream()
                    .filter(one -> one.getValue().equals(process))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElse("none");
        }
    }

    private static Present present(String host, String process) {
        return new Present(DonorAddress.parseList(host + ":1").getFirst(), process, false);
    }

    private static DonorListing listing(DonorRecord... donors) {
        return new DonorListing(List.of(donors), List.of());
    }

    private static DonorRecord donor(String host, String process, State state) {
        return new DonorRecord(
                new HostPort(host, 1), EnumSet.of(Transport.TCP), "", "", HERE, process, state, 0, -1, -1, List.of());
    }
}
