package io.leapnbd.tools.donor;

import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Size;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in the log what is lent, to whom, and when that ends. It looks every few seconds and says what has changed: nothing is logged
 * where slabs are granted, and a server that takes a thousand slabs is one line. Has a thread of its own.
 */
final class GrantLog implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(GrantLog.class);
    private static final long LOOK_SECONDS = 3;

    private final SlabStore store;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("log-of-grants").daemon().factory());

    /** As they were at the last look. The thread's. */
    private Map<Key, ExportStatistics> before = new HashMap<>();

    /** An identity may have several exports, and several identities may have exports of one name. */
    private record Key(Object identity, String name) {
        static Key of(ExportStatistics export) {
            return new Key(export.identity(), export.name());
        }
    }

    /** Looks from now on. */
    GrantLog(SlabStore store) {
        this.store = store;
        var _ = thread.scheduleWithFixedDelay(this::look, LOOK_SECONDS, LOOK_SECONDS, TimeUnit.SECONDS);
    }

    private void look() {
        try {
            StoreStatistics statistics = store.statistics();
            Map<Key, ExportStatistics> now = new HashMap<>();
            for (ExportStatistics export : statistics.exports()) {
                Key key = Key.of(export);
                now.put(key, export);
                ExportStatistics last = before.remove(key);
                tell(export, last, statistics.slabSize());
            }
            for (ExportStatistics gone : before.values()) {
                log.info(
                        "lends nothing to export {} any more{}",
                        name(gone),
                        gone.slabs() == 0
                                ? ""
                                : ", and has the " + size(gone.slabs(), statistics.slabSize()) + " back");
            }
            before = now;
        } catch (RuntimeException e) {
            log.error("a look at what is lent has failed by a defect", e);
        }
    }

    private static void tell(ExportStatistics now, @Nullable ExportStatistics last, int slabSize) {
        if (last == null) {
            log.info(
                    "export {} is here: server {}, {} links; it has {}",
                    name(now),
                    PrintableText.of(now.owner()),
                    now.links(),
                    size(now.slabs(), slabSize));
            return;
        }
        if (now.slabs() != last.slabs()) {
            log.info(
                    "lends {} to export {} ({} {})",
                    size(now.slabs(), slabSize),
                    name(now),
                    size(Math.abs(now.slabs() - last.slabs()), slabSize),
                    now.slabs() > last.slabs() ? "more" : "less");
        }
        if (!now.instance().equals(last.instance())) {
            log.info("export {} has another server now: {}", name(now), PrintableText.of(now.owner()));
        }
        if (now.links() == 0 && last.links() > 0) {
            log.info(
                    "the server of export {} has gone; its {} are kept for {}",
                    name(now),
                    size(now.slabs(), slabSize),
                    Durations.elapsed(Duration.ofSeconds(now.leaseSecondsLeft())));
        } else if (now.links() > 0 && last.links() == 0) {
            log.info("the server of export {} is back", name(now));
        }
    }

    private static String name(ExportStatistics export) {
        return "'" + PrintableText.of(export.name()) + "' of " + PrintableText.of(export.account());
    }

    private static String size(int slabs, int slabSize) {
        return Size.approximate((long) slabs * slabSize);
    }

    @Override
    public void close() {
        thread.shutdownNow();
        try {
            boolean _ = thread.awaitTermination(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
