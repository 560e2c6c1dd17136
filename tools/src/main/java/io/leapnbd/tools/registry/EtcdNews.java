package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.JsonValue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * News from etcd: a list, and a watch from there on. Whenever the watch ends, or what it says is no watch's, it begins again with a list; and once in a while in any
 * case, so that nothing missed stays so. Has a thread of its own.
 */
final class EtcdNews extends DonorNews {

    private static final Logger log = LoggerFactory.getLogger(EtcdNews.class);

    private static final long LIST_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long FIRST_PAUSE_MILLIS = 250;
    private static final long LONGEST_PAUSE_MILLIS = 5_000;

    private final DonorSource.Etcd etcd;
    private final EtcdClient client;
    private final RegistryView view = new RegistryView();
    private final Thread thread;
    private volatile boolean closed;

    /** Listens from now on. */
    EtcdNews(DonorSource.Etcd etcd, RegistryAccess access) {
        this.etcd = etcd;
        client = new EtcdClient(etcd, access, EtcdClient.SMALL);
        thread = Thread.ofPlatform().name("registry").daemon().start(this::run);
    }

    private void run() {
        long pause = FIRST_PAUSE_MILLIS;
        while (!closed) {
            try {
                EtcdClient.Range all = client.range(etcd.donors());
                view.list(all.revision(), all.values());
                if (complaint() != null) {
                    log.info("registry {} answers again", etcd);
                }
                post(DonorListing.of(view.values()));
                pause = FIRST_PAUSE_MILLIS;
                String ended = watch(all.revision() + 1);
                if (ended != null) {
                    log.debug("registry {}: the watch has ended: {}", etcd, ended);
                    Thread.sleep(pause);
                }
            } catch (RegistryException e) {
                if (complain(String.valueOf(e.getMessage()))) {
                    log.warn("registry {} gives no news: {}; donors stay as they are", etcd, e.getMessage());
                }
                if (!pause(pause)) {
                    return;
                }
                pause = Math.min(LONGEST_PAUSE_MILLIS, 2 * pause);
            } catch (InterruptedException _) {
                // It is closed.
                return;
            } catch (RuntimeException e) {
                log.error("news of registry {} have failed by a defect", etcd, e);
                boolean _ = complain("a defect; the log has it");
                if (!pause(LONGEST_PAUSE_MILLIS)) {
                    return;
                }
            }
        }
    }

    private static boolean pause(long millis) {
        try {
            Thread.sleep(millis);
            return true;
        } catch (InterruptedException _) {
            return false;
        }
    }

    /** Follows changes until it is time for a list; returns why the watch has ended, or null if it has not. */
    private @Nullable String watch(long revision) throws RegistryException, InterruptedException {
        long end = System.nanoTime() + LIST_AGAIN_NANOS;
        try (EtcdClient.Watch watch = client.watch(etcd.donors(), revision)) {
            while (!closed) {
                long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                if (left <= 0) {
                    return null;
                }
                JsonValue answer = watch.next(left);
                if (answer == null) {
                    return null;
                }
                if (!answer.isThere()) {
                    return String.valueOf(watch.ended());
                }
                JsonValue result = answer.get("result");
                if (!result.isThere() || result.get("canceled").isTrue()) {
                    // Also when what came before was thrown away: revisions that are compacted.
                    return "it is cancelled";
                }
                apply(result);
            }
        }
        return null;
    }

    private void apply(JsonValue result) {
        boolean news = false;
        for (JsonValue event : result.get("events").items()) {
            JsonValue changed = event.get("kv");
            String key = EtcdClient.decodedOrEmpty(changed.get("key"));
            long at = changed.get("mod_revision").number(0);
            if (key.startsWith(etcd.donors())) {
                news |= event.get("type").text("PUT").equals("DELETE")
                        ? view.remove(key, at)
                        : view.put(key, EtcdClient.decodedOrEmpty(changed.get("value")), at);
            }
        }
        if (news) {
            post(DonorListing.of(view.values()));
        }
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        client.close();
    }
}
