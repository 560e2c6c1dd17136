package io.leapnbd.tools.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.PushFigure;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.linux.PageFaultEvents;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The loop with real events, of this process and of others, where they are allowed. */
class PushAgentTest {

    private static final int PAGE = 4096;

    /** 40 MiB: the C library maps what is larger than 32 anew each time, so that it has no page yet. */
    private static final int PAGES = 10_240;

    private final DeviceLimits device = new DeviceLimits();
    private final PushTargets targets = new PushTargets(device, PushSettings.DEFAULT, new AnnouncedReads());

    @BeforeEach
    void perfIsAllowed() {
        Optional<String> refusal = PageFaultEvents.refusal();
        assumeTrue(refusal.isEmpty(), () -> "perf events are not to be had: " + refusal.orElse(""));
    }

    private static int self() {
        return (int) ProcessHandle.current().pid();
    }

    @Test
    void theLoopAllocatesNothingWhileFaultsCome() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (PageFaultEvents events = new PageFaultEvents(64);
                PushAgent agent = new PushAgent(events, targets, device)) {
            events.watch(self());
            PushTarget target = Objects.requireNonNull(targets.begin(self()));
            long allocated = 0;
            long records = 0;
            for (int round = 0; round < 5; round++) {
                try (Arena arena = Arena.ofConfined()) {
                    touch(arena.allocate((long) PAGES * PAGE, PAGE));
                }
                long seen = agent.records();
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int turn = 0; turn < 50; turn++) {
                    agent.turn(System.nanoTime());
                }
                allocated = threads.getCurrentThreadAllocatedBytes() - before;
                records = agent.records() - seen;
            }
            assertThat(records).isPositive();
            assertThat(allocated).isLessThan(4096);
            assertThat(target.pusher().figures().get(PushFigure.FAULTS)).isPositive();
        }
    }

    private static void touch(MemorySegment memory) {
        for (long at = 0; at < memory.byteSize(); at += PAGE) {
            memory.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
        }
    }

    @Test
    void aProcessThatEndsIsShownAsEnded() throws Exception {
        Process process = new ProcessBuilder("sleep", "600").start();
        try (PageFaultEvents events = new PageFaultEvents(1);
                PushAgent agent = new PushAgent(events, targets, device)) {
            assertThat(targets.begin((int) process.pid())).isNotNull();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread loop = Thread.ofPlatform().start(() -> {
                try {
                    agent.run();
                } catch (IOException | RuntimeException e) {
                    failure.set(e);
                }
            });
            process.destroyForcibly().waitFor();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (targets.ended().isEmpty() && System.nanoTime() - end < 0) {
                Thread.sleep(10);
            }
            agent.stop();
            loop.join(TimeUnit.SECONDS.toMillis(30));
            assertThat(failure.get()).isNull();
            assertThat(loop.isAlive()).isFalse();
            assertThat(targets.live()).isEmpty();
            assertThat(targets.ended()).hasSize(1);
        }
    }

    @Test
    void noMoreProcessesAreTakenThanThereIsRoomFor() throws IOException {
        for (int i = 0; i < PushTargets.MOST; i++) {
            assertThat(targets.begin(self())).isNotNull();
        }
        assertThat(targets.begin(self())).isNull();
        assertThat(targets.turnedAway()).isOne();
        targets.end(3);
        assertThat(targets.begin(self())).isNotNull();
        assertThat(targets.begin(Integer.MAX_VALUE))
                .as("a process that is not there")
                .isNull();
        targets.close();
    }

    @Test
    void statusNamesWhatIsWatchedAndSettingsChangeWithIt() throws IOException {
        try (PageFaultEvents events = new PageFaultEvents(1);
                PushAgent agent = new PushAgent(events, targets, device)) {
            PushStatus status = new PushStatus(Watched.process(self()), events, targets, new AnnouncedReads(), agent);
            targets.begin(self());
            assertThat(status.json())
                    .contains("\"watches\": \"process " + self() + "\"", "\"policy\": \"adaptive\"", "\"hits\": 0");
            assertThat(new String(
                            status.set(Map.of("policy", "leap", "max_window", "16"))
                                    .body(),
                            StandardCharsets.UTF_8))
                    .contains("\"policy\": \"leap\"", "\"max_window\": 16");
            assertThat(targets.live().getFirst().pusher().settings().policy()).isEqualTo(PushSettings.Policy.LEAP);
            status.set(Map.of("pid", Integer.toString(self()), "policy", "off"));
            assertThat(targets.settings().policy()).isEqualTo(PushSettings.Policy.LEAP);
            assertThat(targets.live().getFirst().pusher().settings().policy()).isEqualTo(PushSettings.Policy.OFF);
            assertThat(PushMetrics.registry(status).scrape().size()).isGreaterThan(10);
            assertThat(new String(status.histogram(Map.of()).body(), StandardCharsets.UTF_8))
                    .contains("Percentile");
        }
    }

    @Test
    void statusIsTextForPeople() throws IOException {
        try (PageFaultEvents events = new PageFaultEvents(1);
                PushAgent agent = new PushAgent(events, targets, device)) {
            PushStatus status = new PushStatus(Watched.process(self()), events, targets, new AnnouncedReads(), agent);
            targets.begin(self());
            String text = new String(status.answer(Map.of("format", "text")).body(), StandardCharsets.UTF_8);
            assertThat(text)
                    .contains(
                            "push for process " + self() + ", policy adaptive", "no server of the swap device is told")
                    .containsPattern("process +policy +faults +major +pushed +hits")
                    .containsPattern("\\n" + self() + " ");
        }
    }

    @Test
    void pushIsSetForAllForNoneOrForOneProcess() throws IOException {
        try (PageFaultEvents events = new PageFaultEvents(1);
                PushAgent agent = new PushAgent(events, targets, device)) {
            PushStatus status = new PushStatus(Watched.process(self()), events, targets, new AnnouncedReads(), agent);
            PushTarget target = Objects.requireNonNull(targets.begin(self()));
            status.set(Map.of("push", "off"));
            assertThat(target.pusher().settings().policy()).isEqualTo(PushSettings.Policy.OFF);
            status.set(Map.of("push", Integer.toString(self())));
            assertThat(target.pusher().settings().policy()).isEqualTo(PushSettings.Policy.ADAPTIVE);
            assertThat(targets.settings().policy()).isEqualTo(PushSettings.Policy.OFF);
            status.set(Map.of("push", "0"));
            assertThat(targets.settings().policy()).isEqualTo(PushSettings.Policy.ADAPTIVE);
            assertThatThrownBy(() -> status.set(Map.of("push", "yes"))).hasMessageContaining("neither on, off");
            assertThatThrownBy(() -> status.set(Map.of("polcy", "off"))).hasMessageContaining("no setting is called");
        }
    }
}
