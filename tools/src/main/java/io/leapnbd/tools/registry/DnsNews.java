package io.leapnbd.tools.registry;

import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.OneLineErrors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.TypeConversionException;

/**
 * News from SRV records. It asks again when an answer is not good any more, but not more often than every 5 s, and every 5 minutes at least. DNS says where donors are and nothing
 * else: it takes nobody away. Has a thread of its own.
 */
final class DnsNews extends DonorNews {

    private static final Logger log = LoggerFactory.getLogger(DnsNews.class);

    private static final long LEAST_SECONDS = 5;
    private static final long MOST_SECONDS = 300;
    private static final long PAUSE_MILLIS = TimeUnit.SECONDS.toMillis(2);

    private final DonorSource.Dns dns;
    private final Thread thread;

    /** Asks from now on. */
    DnsNews(DonorSource.Dns dns) {
        this.dns = dns;
        thread = Thread.ofPlatform().name("registry").daemon().start(this::run);
    }

    private void run() {
        try {
            while (true) {
                Thread.sleep(askOnce());
            }
        } catch (InterruptedException _) {
            // It is closed.
        }
    }

    /** Asks; returns how many milliseconds until it is asked again. */
    private long askOnce() {
        try {
            SrvQuery.Answer answer = SrvQuery.ask(dns);
            if (complaint() != null) {
                log.info("{} is answered again", dns);
            }
            post(listing(answer.targets()));
            return pause(answer);
        } catch (IOException e) {
            String why = OneLineErrors.describe(e);
            if (complain(why)) {
                log.warn("{} gives no news: {}; donors stay as they are", dns, why);
            }
        } catch (RuntimeException e) {
            log.error("news of {} have failed by a defect", dns, e);
            boolean _ = complain("a defect; the log has it");
        }
        return PAUSE_MILLIS;
    }

    /** How long until it is asked again. */
    private static long pause(SrvQuery.Answer answer) {
        return TimeUnit.SECONDS.toMillis(Math.clamp(answer.seconds(), LEAST_SECONDS, MOST_SECONDS));
    }

    static DonorListing listing(List<HostPort> targets) {
        List<DonorRecord> donors = new ArrayList<>();
        List<String> unfit = new ArrayList<>();
        Set<HostPort> places = new HashSet<>();
        targets.stream().sorted(Comparator.comparing(HostPort::toString)).forEach(target -> {
            if (!places.add(target)) {
                return;
            }
            try {
                // What no donor can be called is refused.
                DonorRecord.requireHost(target.host());
                var _ = new io.leapnbd.bypass.link.DonorAddress(target.host(), target.port());
                donors.add(DonorRecord.at(HostPort.parse(target.toString(), 0)));
            } catch (IllegalArgumentException | TypeConversionException e) {
                unfit.add("an SRV record: " + PrintableText.of(String.valueOf(e.getMessage())));
            }
        });
        return new DonorListing(donors, unfit);
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
