package io.leapnbd.tools.donor;

import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.service.ServiceNotice;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jline.utils.Signals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a donor in good order: the first SIGTERM or SIGINT asks servers for all slabs back, and the process ends when it has them, or when
 * its time is over. The second one ends it at once. Any thread.
 */
final class Drain {

    private static final Logger log = LoggerFactory.getLogger(Drain.class);

    private static final long LOOK_MILLIS = 20;
    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** What the process needs to end beside. */
    private static final Duration CLOSING = Duration.ofSeconds(30);

    private final LendingDonor donor;
    private final SlabStore store;
    private final Duration time;
    private final Exit exit;
    private final ServiceNotice notice;
    private final AtomicInteger signals = new AtomicInteger();
    private final CountDownLatch hurried = new CountDownLatch(1);

    private Drain(LendingDonor donor, Duration time, Exit exit, ServiceNotice notice) {
        this.donor = donor;
        store = donor.store();
        this.time = time;
        this.exit = exit;
        this.notice = notice;
    }

    /**
     * Does so from now on.
     *
     * @param time how long it waits for slabs at most; zero for not at all
     * @param exit what ends the process
     * @param notice who is told
     */
    static void onSignals(LendingDonor donor, Duration time, Exit exit, ServiceNotice notice) {
        Drain drain = new Drain(donor, time, exit, notice);
        Signals.register("TERM", drain::signalled);
        Signals.register("INT", drain::signalled);
    }

    private void signalled() {
        if (signals.getAndIncrement() > 0) {
            hurried.countDown();
            return;
        }
        notice.stopping("ends; what it holds goes to other donors first", time.plus(CLOSING));
        if (time.isZero() || store.statistics().lentSlabs() == 0) {
            exit.request(ExitCode.OK);
        } else {
            Thread.ofPlatform().name("drain").start(this::run);
        }
    }

    private void run() {
        try {
            donor.wantAllBack();
            log.info(
                    "this donor ends: it asks servers for the {} back that they have here, and waits up to {}; a second signal ends it at"
                            + " once",
                    size(store.statistics()),
                    Durations.format(time));
            sayWhoIsAway();
            await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            exit.request(ExitCode.OK);
        }
    }

    private void await() throws InterruptedException {
        long begin = System.nanoTime();
        long told = begin;
        DrainPatience patience = new DrainPatience(begin, time.toNanos());
        while (true) {
            StoreStatistics here = store.statistics();
            long now = System.nanoTime();
            switch (patience.look(now, here.lentSlabs(), isServed(here), isElsewhere(here))) {
                case EMPTY -> {
                    log.info("all slabs have come back after {}", Durations.approximate(now - begin));
                    return;
                }
                case TIME_IS_OVER -> {
                    log.warn(
                            "not all slabs came back within {}: other donors have no room for the {} that are still here, or their server does"
                                    + " not answer",
                            Durations.format(time),
                            size(here));
                    return;
                }
                case ALL_ELSEWHERE -> {
                    log.info("other donors have copies of the {} that are still here: nothing is lost", size(here));
                    return;
                }
                case WAIT -> {
                    if (now - told >= TELL_NANOS) {
                        told = now;
                        log.info("{} are still here", size(here));
                    }
                }
            }
            if (hurried.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
                log.warn("ends at once, as it was told a second time; {} are still here", size(store.statistics()));
                return;
            }
        }
    }

    /** Whether other donors have a live copy of each slab, as their servers say. */
    private static boolean isElsewhere(StoreStatistics here) {
        return here.exports().stream().allMatch(export -> export.elsewhere() == export.slabs());
    }

    /** Whether the servers of all that is here are connected. */
    private static boolean isServed(StoreStatistics here) {
        return here.exports().stream().allMatch(export -> export.slabs() == 0 || export.links() > 0);
    }

    private void sayWhoIsAway() {
        StoreStatistics here = store.statistics();
        for (ExportStatistics export : here.exports()) {
            if (export.slabs() > 0 && export.links() == 0) {
                log.warn(
                        "no server of export '{}' is connected: nobody takes its {} back before one is",
                        PrintableText.of(export.name()),
                        Size.approximate((long) export.slabs() * here.slabSize()));
            }
        }
    }

    private static String size(StoreStatistics here) {
        return Size.approximate((long) here.lentSlabs() * here.slabSize());
    }
}
