package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.HostPort;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import javax.naming.Context;
import javax.naming.NameNotFoundException;
import javax.naming.NamingEnumeration;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * News from SRV records, by the JDK's own provider. It does not tell how long an answer is good, so it asks every 30 s. DNS says where donors are and nothing else: it
 * takes nobody away. Has a thread of its own.
 */
final class DnsNews implements DonorNews {

    private static final Logger log = LoggerFactory.getLogger(DnsNews.class);

    private static final long ASK_AGAIN_MILLIS = TimeUnit.SECONDS.toMillis(30);
    private static final long PAUSE_MILLIS = TimeUnit.SECONDS.toMillis(2);
    private static final String TIMEOUT_MILLIS = "1000";
    private static final String ATTEMPTS = "3";

    private final DonorSource.Dns dns;
    private final NewsBoard board = new NewsBoard();
    private final Thread thread;

    /** Asks from now on. */
    DnsNews(DonorSource.Dns dns) {
        this.dns = dns;
        thread = Thread.ofPlatform().name("registry").daemon().start(this::run);
    }

    private void run() {
        try {
            while (true) {
                try {
                    DonorListing found = ask();
                    if (board.complaint() != null) {
                        log.info("{} is answered again", dns);
                    }
                    board.post(found);
                    Thread.sleep(ASK_AGAIN_MILLIS);
                } catch (NamingException e) {
                    if (board.complain(why(e))) {
                        log.warn("{} gives no news: {}; donors stay as they are", dns, why(e));
                    }
                    Thread.sleep(PAUSE_MILLIS);
                }
            }
        } catch (InterruptedException _) {
            // It is closed.
        }
    }

    private static String why(NamingException e) {
        if (e instanceof NameNotFoundException) {
            return "there is no such name";
        }
        Throwable cause = e.getRootCause();
        return "DNS does not answer"
                + (cause == null || cause.getMessage() == null ? "" : " (" + cause.getMessage() + ")");
    }

    private DonorListing ask() throws NamingException {
        Hashtable<String, String> settings = new Hashtable<>();
        settings.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.dns.DnsContextFactory");
        settings.put(Context.PROVIDER_URL, dns.server() == null ? "dns:" : "dns://" + dns.server());
        settings.put("com.sun.jndi.dns.timeout.initial", TIMEOUT_MILLIS);
        settings.put("com.sun.jndi.dns.timeout.retries", ATTEMPTS);
        InitialDirContext context = new InitialDirContext(settings);
        try {
            Attribute records =
                    context.getAttributes(dns.name(), new String[] {"SRV"}).get("SRV");
            List<String> texts = new ArrayList<>();
            if (records != null) {
                NamingEnumeration<?> all = records.getAll();
                while (all.hasMore() && texts.size() < DonorListing.MOST) {
                    texts.add(String.valueOf(all.next()));
                }
            }
            return listing(texts);
        } finally {
            context.close();
        }
    }

    /** Of records like {@code 0 5 9400 h1.example.org.}: priority, weight, port, host. */
    static DonorListing listing(List<String> records) {
        List<DonorRecord> donors = new ArrayList<>();
        List<String> unfit = new ArrayList<>();
        Set<String> places = new HashSet<>();
        for (String record : records.stream().sorted().toList()) {
            String[] words = record.strip().split(" +");
            try {
                if (words.length != 4) {
                    throw new IllegalArgumentException("it is no SRV record");
                }
                int port = Integer.parseInt(words[2]);
                String host = words[3].replaceFirst("\\.$", "").toLowerCase(Locale.ROOT);
                // Also checks it.
                var address = new io.leapnbd.bypass.link.DonorAddress(host, port);
                if (places.add(address.toString())) {
                    donors.add(DonorRecord.at(new HostPort(address.host(), address.port())));
                }
            } catch (IllegalArgumentException e) {
                unfit.add("'" + record + "': " + e.getMessage());
            }
        }
        return new DonorListing(donors, unfit);
    }

    @Override
    public @Nullable DonorListing newest() {
        return board.newest();
    }

    @Override
    public @Nullable DonorListing await(@Nullable DonorListing known, long nanos) throws InterruptedException {
        return board.await(known, nanos);
    }

    @Override
    public @Nullable String complaint() {
        return board.complaint();
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
