package io.leapnbd.tools.donor;

import io.leapnbd.donor.loop.LoopTurns;
import io.leapnbd.donor.net.ServerStatistics;
import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.OwnerStatistics;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.pool.PoolFolder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a donor does at the moment, as JSON and as text for people. Any thread.
 *
 * @param uris where it listens
 * @param startMillis milliseconds since 1970
 * @param listeners one a transport
 * @param loops how long the turns of the event loops are, those for TCP first
 * @param unprotected what protection of the process could not be had
 * @param security what holds of who may do or see what
 * @param whyItWantsSlabs why it wants slabs back, or would, in words that follow a colon; null if it lends all that it has
 * @param whyItIsNotRegistered why the registry does not name it, in a sentence; null if it does, or there is to be none
 * @param tls what it shows to servers of its pool; null if it is of none
 * @param insecure whether somebody beyond this machine could use it who has shown nothing
 */
record DonorStatus(
        List<String> uris,
        long startMillis,
        SlabStore store,
        List<Supplier<ServerStatistics>> listeners,
        List<LoopTurns> loops,
        List<String> unprotected,
        List<SecurityLine> security,
        Supplier<@Nullable String> whyItWantsSlabs,
        Supplier<@Nullable String> whyItIsNotRegistered,
        @Nullable LinkTls tls,
        boolean insecure) {

    /** Links that are open now, over all transports. */
    long openLinks() {
        return listeners.stream()
                .mapToLong(listener -> listener.get().openLinks())
                .sum();
    }

    /** {@code /status}, or {@code /status?format=text}. */
    Answer page(Map<String, String> query) {
        String format = query.getOrDefault("format", "json");
        return switch (format) {
            case "json" -> Answer.ok("application/json", json());
            case "text" -> Answer.ok("text/plain; charset=utf-8", text());
            default -> throw new IllegalArgumentException("no format is called " + format + "; there are json, text");
        };
    }

    private String json() {
        StoreStatistics now = store.statistics();
        Json json = new Json()
                .object()
                .put("role", "donor")
                .put("pid", ProcessHandle.current().pid())
                .put("start", Instant.ofEpochMilli(startMillis).toString())
                .array("uris");
        uris.forEach(json::add);
        json.endArray()
                .put("pool", tls == null ? "" : tls.own().pool())
                .put("insecure", insecure)
                .put("incarnation", now.incarnation().toString())
                .put("slab_size", now.slabSize())
                .put("slabs_total", now.totalSlabs())
                .put("slabs_free", now.freeSlabs())
                .put("slabs_lent", now.lentSlabs())
                .put("slabs_wanted_back", now.wantedBack())
                .put("resident_bytes", now.residentBytes())
                .put("locked_bytes", now.lockedBytes())
                .put("links", openLinks())
                .array("exports");
        for (ExportStatistics export : now.exports()) {
            json.object()
                    .put("name", export.name())
                    .put("identity", export.identity().name())
                    .put("slabs", export.slabs())
                    .put("slabs_elsewhere_too", export.elsewhere())
                    .put("epoch", export.epoch())
                    .put("links", export.links())
                    .put("lease_seconds_left", export.leaseSecondsLeft())
                    .put("owner", export.account())
                    .endObject();
        }
        json.endArray().array("owners");
        for (OwnerStatistics owner : now.owners()) {
            json.object()
                    .put("name", owner.name())
                    .put("exports", owner.exports())
                    .put("bytes", (long) owner.slabs() * now.slabSize())
                    .put("limit_bytes", owner.limited() ? (long) owner.limit() * now.slabSize() : -1)
                    .endObject();
        }
        json.endArray()
                .put("grants_over_limit", now.overLimit())
                .object("requests")
                .put("reads", now.reads())
                .put("writes", now.writes())
                .put("trims", now.trims())
                .put("refused", now.refused())
                .put("fenced", now.fenced())
                .endObject()
                .array("degraded");
        degraded(now).forEach(json::add);
        json.endArray();
        SecurityLine.putInto(json, security);
        return json.endObject() + "\n";
    }

    private String text() {
        StoreStatistics now = store.statistics();
        long slab = now.slabSize();
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                "leap-nbd donor, process %d, up %s%n",
                ProcessHandle.current().pid(),
                Durations.elapsed(Duration.ofMillis(System.currentTimeMillis() - startMillis))));
        out.append("lends ")
                .append(Size.approximate(now.totalSlabs() * slab))
                .append(", of which ")
                .append(Size.approximate(now.lentSlabs() * slab))
                .append(" are taken, in slabs of ")
                .append(Size.approximate(slab))
                .append("; ")
                .append(Size.approximate(now.residentBytes()))
                .append(" resident, ")
                .append(Size.approximate(now.lockedBytes()))
                .append(" of it locked\n");
        for (String uri : uris) {
            out.append("  ").append(uri).append('\n');
        }
        out.append(whoIsServed());
        Table exports = new Table("export", "belongs to", "holds", "links", "epoch", "lease");
        for (ExportStatistics export : now.exports()) {
            exports.row(
                    PrintableText.of(export.name()),
                    export.identity().isAnonymous() ? "-" : export.identity().name(),
                    Size.approximate(export.slabs() * slab),
                    Integer.toString(export.links()),
                    Long.toString(export.epoch()),
                    export.links() > 0
                            ? "-"
                            : Durations.elapsed(Duration.ofSeconds(export.leaseSecondsLeft())) + " left");
        }
        if (!exports.isEmpty()) {
            out.append('\n').append(exports);
        }
        Table owners = new Table("owner", "exports", "holds", "may hold");
        for (OwnerStatistics owner : now.owners()) {
            owners.row(
                    PrintableText.of(owner.name()),
                    Integer.toString(owner.exports()),
                    Size.approximate(owner.slabs() * slab),
                    owner.limited() ? Size.approximate(owner.limit() * slab) : "all there is");
        }
        if (!owners.isEmpty()) {
            out.append('\n').append(owners);
        }
        out.append(String.format(
                Locale.ROOT,
                "%n%,d reads, %,d writes, %,d trims, %,d refused%n",
                now.reads(),
                now.writes(),
                now.trims(),
                now.refused()));
        List<String> complaints = degraded(now);
        if (!complaints.isEmpty()) {
            out.append("\ndegraded:\n");
            complaints.forEach(complaint -> out.append("  ").append(complaint).append('\n'));
        }
        return out.append(SecurityLine.text(security)).toString();
    }

    private String whoIsServed() {
        String open = insecure ? "insecure: whoever reaches it can use this memory, and read what is in it\n" : "";
        return tls == null
                ? open
                : "serves servers of pool '" + tls.own().pool() + "', certificates at both ends, as '"
                        + tls.own().name() + "'\n" + open;
    }

    /** What is not as it should be, a sentence each. */
    List<String> degraded() {
        return degraded(store.statistics());
    }

    private List<String> degraded(StoreStatistics now) {
        List<String> complaints = new ArrayList<>(unprotected);
        if (now.lockRefusal() != null) {
            complaints.add("what is lent is not locked in memory: " + now.lockRefusal());
        }
        if (now.overLimit() > 0) {
            complaints.add(now.overLimit()
                    + " requests for memory were refused because their owner holds what it may; --per-owner and --owners say how"
                    + " much that is");
        }
        String soon = PoolFolder.endsSoon(tls);
        if (soon != null) {
            complaints.add(soon);
        }
        String unregistered = whyItIsNotRegistered.get();
        if (unregistered != null) {
            complaints.add(unregistered);
        }
        String why = whyItWantsSlabs.get();
        if (why != null) {
            complaints.add(
                    now.wantedBack() > 0
                            ? "servers are asked for " + Size.approximate((long) now.wantedBack() * now.slabSize())
                                    + " back: " + why
                            : "nothing more is lent: " + why);
        }
        return complaints;
    }
}
