package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.HttpEndpoint;
import io.leapnbd.tools.http.MetricsPage;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.MemoryGroup;
import io.leapnbd.tools.linux.PageFaultEvents;
import io.leapnbd.tools.linux.TimerSlack;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An agent with what surrounds it: the thread of its loop; one that looks four times a second at what may be read only with allocating (limits of
 * cgroups, processes that came, the target's end); and an HTTP endpoint.
 */
final class PushService implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(PushService.class);

    /** Of each ring: 1 MiB, 32,000 faults. */
    private static final int RING_PAGES = 256;

    private static final long LOOK_MILLIS = 250;
    private static final long TIMER_SLACK_NANOS = 1_000;

    /** The part of the memory that the target may have in which pushed pages may lie untouched: one eighth, so that they cannot push out much of
     * what it uses. */
    private static final int SHARE = 8;

    private final Watched watched;
    private final PageFaultEvents events;
    private final PushTargets targets;
    private final PushAgent agent;
    private final PushStatus status;
    private final @Nullable HttpEndpoint endpoint;
    private final @Nullable Path runFile;
    private final ScheduledExecutorService housekeeping = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("push-housekeeping").daemon().factory());
    private @Nullable Thread loop;

    /** Housekeeping's. */
    private boolean warned;

    private PushService(
            Watched watched,
            PageFaultEvents events,
            PushTargets targets,
            PushAgent agent,
            @Nullable EndpointAddress http) {
        this.watched = watched;
        this.events = events;
        this.targets = targets;
        this.agent = agent;
        status = new PushStatus(watched, events, targets, agent);
        endpoint = http == null
                ? null
                : HttpEndpoint.open(
                        http,
                        Map.of(
                                "/status",
                                query -> Answer.ok("application/json", status.json()),
                                "/metrics",
                                new MetricsPage(PushMetrics.registry(status)),
                                "/histogram",
                                status::histogram,
                                "/healthz",
                                query -> Answer.line(200, "ok")),
                        Map.of("/settings", status::set));
        runFile = RunFile.register("push", endpoint, "push:" + watched.description());
    }

    /**
     * Begins to watch; nothing is pushed before {@link #start}.
     *
     * @throws LinuxException if the kernel does not allow it
     * @throws IOException in one sentence, if there is nothing to watch
     */
    static PushService open(Watched watched, PushSettings settings, DeviceLimits device, @Nullable EndpointAddress http)
            throws IOException {
        PageFaultEvents events = new PageFaultEvents(RING_PAGES);
        try {
            watched.begin(events);
            PushTargets targets = new PushTargets(device, settings);
            return new PushService(watched, events, targets, new PushAgent(events, targets, device), http);
        } catch (IOException | RuntimeException e) {
            events.close();
            throw e;
        }
    }

    /** In the target's cgroup the agent takes of the memory that is short, and is slowed down with the target. */
    private void warnOfSharedGroup() {
        Optional<MemoryGroup> own = MemoryGroup.of(ProcessHandle.current().pid());
        if (!warned
                && own.isPresent()
                && own.equals(watched.memoryGroup())
                && own.get().limitPages() < MachinePages.all()) {
            warned = true;
            log.warn(
                    "the agent runs in the cgroup that it pushes for, {}, whose memory is short; start it outside",
                    own.get().directory());
        }
    }

    /** Pushes from now on, until closed or until the target has ended; then the process may end too. */
    void start(Exit exit) {
        Thread thread = Thread.ofPlatform().name("push").unstarted(() -> run(exit));
        loop = thread;
        thread.start();
        housekeeping.scheduleWithFixedDelay(() -> look(exit), 0, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void run(Exit exit) {
        try {
            TimerSlack.set(TIMER_SLACK_NANOS);
            agent.run();
        } catch (LinuxException | RuntimeException e) {
            log.error("the agent ends", e);
            exit.request(ExitCode.FAILED);
        }
    }

    private void look(Exit exit) {
        try {
            if (watched.hasEnded()) {
                exit.request(ExitCode.OK);
                return;
            }
            watched.refresh(events);
            warnOfSharedGroup();
            int count = Math.max(1, targets.live().size());
            for (PushTarget target : targets.live()) {
                long limit = MemoryGroup.of(target.pid())
                        .map(MemoryGroup::limitPages)
                        .orElse(Long.MAX_VALUE);
                target.pusher().limit(Math.min(limit, MachinePages.all()) / SHARE / count);
            }
        } catch (IOException | RuntimeException e) {
            log.warn("{}", e.getMessage());
        }
    }

    /** For people: what is pushed for, and where its figures are. */
    String description() {
        return watched.description() + (endpoint == null ? "" : " " + endpoint.uri());
    }

    @Override
    public void close() {
        housekeeping.shutdownNow();
        agent.stop();
        if (loop != null) {
            try {
                loop.join(TimeUnit.SECONDS.toMillis(5));
                housekeeping.awaitTermination(5, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (endpoint != null) {
            endpoint.close();
        }
        if (runFile != null) {
            RunFile.remove(runFile);
        }
        if (loop == null || !loop.isAlive()) {
            agent.close();
            events.close();
        }
    }
}
