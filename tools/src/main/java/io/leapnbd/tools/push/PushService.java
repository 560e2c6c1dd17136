package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.PushSettings;
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
import java.util.function.IntConsumer;
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
    private static final int LOOKS_A_SECOND = 4;
    private static final int MOST_LOOKS = 64;
    private static final long TIMER_SLACK_NANOS = 1_000;

    /** The part of the memory that the target may have in which pushed pages may lie untouched: one eighth, so that they cannot push out much of
     * what it uses. */
    private static final int SHARE = 8;

    private final Watched watched;
    private final PageFaultEvents events;
    private final PushTargets targets;
    private final AnnouncedReads announced;
    private final @Nullable SwapServerSearch search;
    private final PushAgent agent;
    private final PushStatus status;
    private final @Nullable HttpEndpoint endpoint;
    private final @Nullable Path runFile;
    private final ScheduledExecutorService housekeeping = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("push-housekeeping").daemon().factory());
    private @Nullable Thread loop;

    /** Housekeeping's. */
    private boolean warned;

    /** Housekeeping's: looks until the server is sought again, and for how many the next time. */
    private int looksUntilSearch;

    private int looksBetween = LOOKS_A_SECOND;

    private PushService(
            Watched watched,
            PageFaultEvents events,
            PushTargets targets,
            AnnouncedReads announced,
            @Nullable SwapServerSearch search,
            PushAgent agent,
            @Nullable EndpointAddress http,
            boolean registered) {
        this.watched = watched;
        this.events = events;
        this.targets = targets;
        this.announced = announced;
        this.search = search;
        this.agent = agent;
        status = new PushStatus(watched, events, targets, announced, agent);
        endpoint = http == null
                ? null
                : HttpEndpoint.open(
                        http,
                        Map.of(
                                "/status",
                                status::answer,
                                "/metrics",
                                new MetricsPage(PushMetrics.registry(status)),
                                "/histogram",
                                status::histogram,
                                "/healthz",
                                query -> Answer.line(200, "ok")),
                        Map.of("/settings", status::set));
        runFile = registered ? null : RunFile.register("push", endpoint, "push:" + watched.description());
    }

    /**
     * Begins to watch; nothing is pushed before {@link #start}.
     *
     * @param announced with a connection to the swap device's server, or none yet
     * @param search finds that server; null if none is to be told
     * @param http where figures are shown; null for nowhere
     * @param registered whether the process has a run file already, of which there can be one
     * @throws LinuxException if the kernel does not allow it
     * @throws IOException in one sentence, if there is nothing to watch
     */
    static PushService open(
            Watched watched,
            PushSettings settings,
            AnnouncedReads announced,
            @Nullable SwapServerSearch search,
            @Nullable EndpointAddress http,
            boolean registered)
            throws IOException {
        DeviceLimits device = new DeviceLimits();
        PageFaultEvents events = new PageFaultEvents(RING_PAGES);
        try {
            watched.begin(events);
            PushTargets targets = new PushTargets(device, settings, announced);
            return new PushService(
                    watched,
                    events,
                    targets,
                    announced,
                    search,
                    new PushAgent(events, targets, device),
                    http,
                    registered);
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

    /**
     * Pushes from now on, until closed or until the target has ended.
     *
     * @param ended is told so, once or more, with an exit code; on any thread
     */
    void start(IntConsumer ended) {
        Thread thread = Thread.ofPlatform().name("push").unstarted(() -> run(ended));
        loop = thread;
        thread.start();
        housekeeping.scheduleWithFixedDelay(() -> look(ended), 0, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void run(IntConsumer ended) {
        try {
            TimerSlack.set(TIMER_SLACK_NANOS);
            agent.run();
        } catch (LinuxException | RuntimeException e) {
            log.error("the agent ends", e);
            ended.accept(ExitCode.FAILED);
        }
    }

    private void look(IntConsumer ended) {
        try {
            if (watched.hasEnded()) {
                ended.accept(ExitCode.OK);
                return;
            }
            watched.refresh(events);
            warnOfSharedGroup();
            findServer();
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

    /** Again and again, for it may be started later, or anew. */
    private void findServer() {
        if (search == null || announced.connected()) {
            looksBetween = LOOKS_A_SECOND;
            looksUntilSearch = 0;
            return;
        }
        if (--looksUntilSearch > 0) {
            return;
        }
        looksUntilSearch = looksBetween;
        looksBetween = Math.min(looksBetween * 2, MOST_LOOKS);
        try {
            announced.use(search.find());
        } catch (IOException e) {
            log.debug("no server is told what is pushed: {}", e.getMessage());
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
            announced.close();
            events.close();
        }
    }
}
