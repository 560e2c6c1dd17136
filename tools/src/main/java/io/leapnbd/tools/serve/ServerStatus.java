package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.LendingLimit;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.donor.loop.LoopTurns;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.nbd.server.ConnectionInfo;
import io.leapnbd.nbd.server.NbdServer;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.prefetch.CacheFigures;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.pool.PoolFolder;
import io.leapnbd.tools.record.Recording;
import io.leapnbd.tools.registry.ExportRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What a server does at the moment, as JSON and as text for people. Everything is read from live counters without
 * stopping anything, so numbers may be off against each other by what happened meanwhile. Any thread.
 *
 * @param uris where it listens
 * @param startMillis milliseconds since 1970
 * @param loops how long the event loops' turns are
 * @param store the embedded donor; null if there are others
 * @param recording of what clients do; null if nothing is recorded
 * @param security what holds of who may do or see what
 * @param tls what it shows to donors of its pool; null if it is of none
 * @param follower what a registry says of donors; null if they were named
 */
record ServerStatus(
        ServerSettings settings,
        List<String> uris,
        long startMillis,
        List<LoopTurns> loops,
        RemoteDevice device,
        NbdServer nbd,
        @Nullable SlabStore store,
        @Nullable Recording recording,
        List<SecurityLine> security,
        @Nullable LinkTls tls,
        @Nullable PoolFollower follower) {

    /** {@code /status}, or {@code /status?format=text}. */
    Answer page(Map<String, String> query) {
        String format = query.getOrDefault("format", "json");
        return switch (format) {
            case "json" -> Answer.ok("application/json", json());
            case "text" -> Answer.ok("text/plain; charset=utf-8", text());
            default -> throw new IllegalArgumentException("no format is called " + format + "; there are json, text");
        };
    }

    /** {@code /readyz}: ready as long as a donor can be reached. */
    Answer ready() {
        return device.donorSet().present().stream().anyMatch(Donor::up)
                ? Answer.line(200, "ready")
                : Answer.line(503, "no donor can be reached");
    }

    /** What is not as it should be, a sentence each. */
    List<String> degraded() {
        List<String> complaints = new ArrayList<>(settings.unprotected());
        String soon = PoolFolder.endsSoon(tls);
        if (soon != null) {
            complaints.add(soon);
        }
        for (Donor donor : device.donorSet().present()) {
            if (!donor.up()) {
                String unused = donor.whyUnused();
                complaints.add(
                        unused == null
                                ? "donor " + donor + " cannot be reached; " + waiting(donor)
                                : "donor " + donor + " answers and is not used: it " + unused);
            } else if (donor.linksUp() < settings.loops().count()) {
                complaints.add("donor " + donor + " has " + donor.linksUp() + " of "
                        + settings.loops().count() + " links");
            }
        }
        wantedBack(complaints);
        if (follower != null) {
            complaints.addAll(follower.complaints());
        }
        limits(complaints);
        SpillStatus.complain(device.spill(), complaints);
        comingAndGoing(complaints);
        RepairStatus repair = RepairStatus.of(device);
        long lost = repair.lost().bytes() / Protocol.PAGE_SIZE;
        if (lost > 0) {
            complaints.add((lost == 1 ? "1 page is lost with its donors" : lost + " pages are lost with their donors")
                    + "; reading one is an I/O error until it is written again");
        }
        for (int i : numbers()) {
            long unfit = device.sealFigures().unfit(i);
            if (unfit > 0) {
                complaints.add("donor " + device.donors().get(i) + " has answered " + unfit
                        + " pages that were not what was written; look after its memory and the way to it");
            }
        }
        long few = shortOfCopies();
        if (few > 0) {
            complaints.add(few + " slabs have fewer than " + device.copies()
                    + " copies; they are filled again where there is room");
        }
        String notFilled = repair.complaint();
        if (notFilled != null) {
            complaints.add(notFilled);
        }
        if (device.allocationFailures() > 0) {
            complaints.add(device.allocationFailures() + " writes failed because no donor had room; add donors");
        }
        String failure = device.prefetching().figures().failure();
        if (failure != null) {
            complaints.add(failure);
        }
        String notRecorded = recording == null ? null : recording.complaint();
        if (notRecorded != null) {
            complaints.add(notRecorded);
        }
        if (store != null) {
            String refusal = store.statistics().lockRefusal();
            if (refusal != null) {
                complaints.add("memory of the embedded donor is not locked: " + refusal);
            }
        }
        return complaints;
    }

    /** What waits for a donor that cannot be reached, in words: copies that count as there are none that anybody can read. */
    private String waiting(Donor donor) {
        int number = device.donors().indexOf(donor);
        long copies = 0;
        long only = 0;
        for (int slab = 0; slab < device.map().slabs(); slab++) {
            Placement placement = device.map().placement(slab);
            if (placement != null && placement.isAt(number)) {
                copies++;
                only += anyUp(placement) ? 0 : 1;
            }
        }
        if (copies == 0) {
            return "it holds no pages";
        }
        return (copies == 1 ? "1 slab lacks its copy" : copies + " slabs lack their copies")
                + " there"
                + (only == 0
                        ? ""
                        : ", and " + only + (only == 1 ? " has no other" : " have no other")
                                + " that answers, so requests wait");
    }

    private boolean anyUp(Placement placement) {
        for (int i = 0; i < placement.live(); i++) {
            if (device.donors().get(placement.member(i).donor()).up()) {
                return true;
            }
        }
        return false;
    }

    /** What donors want back, or are drained of, and whether there is room for it. */
    private void wantedBack(List<String> complaints) {
        int[] held = slabsHeld();
        for (int i : numbers()) {
            Donor donor = device.donors().get(i);
            long slab = device.map().slabSize();
            if (donor.lastResort()) {
                continue;
            }
            String noRoom = whereTo(donor);
            if (donor.use() == Donor.Use.LEAVING && held[i] > 0) {
                complaints.add("donor " + donor + " is to be removed and still holds "
                        + Size.approximate(held[i] * slab)
                        + (donor.up()
                                ? noRoom
                                : "; it cannot be reached: 'leap-nbd set donors-=" + donor
                                        + " lose-missing=yes' gives that up"));
            } else if (donor.drained() && held[i] > 0) {
                complaints.add(
                        "donor " + donor + " is drained and still holds " + Size.approximate(held[i] * slab) + noRoom);
            } else if (donor.wantedBack() > 0 && held[i] > 0) {
                complaints.add("donor " + donor + " wants "
                        + Size.approximate(Math.min(donor.wantedBack(), held[i]) * slab) + " back" + noRoom);
            }
        }
    }

    /** Where what a donor holds goes. Room helps nothing at a donor that has a copy already, nor at another of its machine. */
    private String whereTo(Donor leaving) {
        if (!device.noRoomToMove()) {
            return ", and it goes to others";
        }
        boolean room = device.donorSet().present().stream()
                .anyMatch(other -> other != leaving
                        && !other.lastResort()
                        && other.up()
                        && other.takesSlabs()
                        && other.freeSlabs() > 0);
        return room
                ? ", and the others have a copy of that already; add a donor on one more machine"
                : ", and no other donor has room; add donors";
    }

    /** Donors whose room for this server is used up although they may have more for others. */
    private void limits(List<String> complaints) {
        for (Donor donor : device.donorSet().present()) {
            LendingLimit limit = donor.limit();
            if (limit != null && donor.up() && donor.freeSlabs() == 0) {
                complaints.add("donor " + donor + " has no more room for this server: it " + limit
                        + "; raise that there, or add donors");
            }
        }
    }

    /** Donors that join or leave, and cannot because another one does not learn of it. */
    private void comingAndGoing(List<String> complaints) {
        for (Donor donor : device.donorSet().present()) {
            boolean waits = donor.use() == Donor.Use.JOINING || donor.use() == Donor.Use.DISOWNED;
            String who = waits ? device.donorSet().whoDoesNotKnow() : null;
            if (who != null) {
                complaints.add("donor " + donor + (donor.use() == Donor.Use.JOINING ? " cannot join" : " cannot leave")
                        + " before donor " + who + " knows of it; start that one, or remove it as well");
            }
        }
    }

    /** Bytes that a donor lends this server at most; -1 for all that it has. */
    private static long limitOf(Donor donor) {
        LendingLimit limit = donor.limit();
        return limit == null ? -1 : limit.bytes();
    }

    /** Slabs of the device that each donor holds, by number. */
    int[] slabsHeld() {
        return IntStream.range(0, device.donors().size())
                .map(device.map()::copiesAt)
                .toArray();
    }

    /** The numbers of the donors that there are. */
    int[] numbers() {
        return IntStream.range(0, device.donors().size())
                .filter(i -> device.donors().get(i).use() != Donor.Use.GONE)
                .toArray();
    }

    /** Slabs with fewer live copies than wanted. */
    long shortOfCopies() {
        long count = 0;
        for (int i = 0; i < device.map().slabs(); i++) {
            Placement placement = device.map().placement(i);
            if (placement != null && placement.live() < device.copies()) {
                count++;
            }
        }
        return count;
    }

    private String json() {
        Json json = new Json()
                .object()
                .put("role", "serve")
                .put("pid", ProcessHandle.current().pid())
                .put("start", Instant.ofEpochMilli(startMillis).toString())
                .array("uris");
        uris.forEach(json::add);
        json.endArray()
                .put("pool", tls == null ? "" : tls.own().pool())
                .put("identity", tls == null ? "" : tls.own().name())
                .put("insecure", settings.isInsecure())
                .object("export")
                .put("name", settings.export())
                .put("size", device.size())
                .put("content", device.content().toString())
                .put("term", device.term())
                .put("slab_size", device.map().slabSize())
                .put("slabs", device.map().slabs())
                .put("slabs_mapped", device.map().mappedSlabs())
                .put("replicas", device.copies())
                .put("slabs_short_of_copies", shortOfCopies())
                .put("copies_dropped", device.copiesDropped())
                .put("copies_filled", device.copiesFilled())
                .put("copies_filled_bytes", device.copiesFilledBytes())
                .put("copies_moved", device.copiesMoved())
                .put("copies_balanced", device.copiesBalanced())
                .put("pages_written", device.map().pagesWritten())
                .put("pages_lost", device.map().pagesLost())
                .put("seals", settings.copies().seals())
                .put("encryption", settings.copies().encryption().kind().toString())
                .put("pages_unsealed", device.map().pagesUnsealed())
                .put("allocation_failures", device.allocationFailures())
                .endObject()
                .array("donors");
        LinkStatus links = links();
        int[] held = slabsHeld();
        for (int i : numbers()) {
            Donor donor = device.donors().get(i);
            json.object()
                    .put("name", donor.name())
                    .put("up", donor.up())
                    .put("authenticated", donor.shown() != null)
                    .put("encrypted", links.encrypted(donor))
                    .put("link_security", links.protection(donor))
                    .put("certificate", LinkStatus.certificate(donor))
                    .put("links", donor.linksUp())
                    .put("slabs_held", held[i])
                    .put("slabs_free", donor.freeSlabs())
                    .put("slabs_total", donor.totalSlabs())
                    .put("slabs_wanted_back", donor.wantedBack())
                    .put("limit_bytes", limitOf(donor))
                    .put("drained", donor.drained())
                    .put("use", DonorSettings.use(donor))
                    .put("timeouts", donor.timeouts())
                    .put("reconnects", donor.reconnects())
                    .put("device_reads", donor.deviceReads())
                    .put("asked_reads", donor.askedReads())
                    .put("disturbed_reads", donor.disturbedReads())
                    .put("seals_unfit", device.sealFigures().unfit(i))
                    .put("seals_mended", device.sealFigures().mended(i))
                    .endObject();
        }
        json.endArray();
        if (follower != null) {
            follower.putInto(json);
        }
        SpillStatus.put(device.spill(), json);
        json.array("connections");
        for (ConnectionInfo connection : nbd.connections()) {
            json.object()
                    .put("id", connection.id())
                    .put("peer", connection.peer())
                    .put("tls", connection.security())
                    .put("export", connection.export())
                    .put("transmitting", connection.transmitting())
                    .put("opened", connection.opened().toString())
                    .put("requests_in_flight", connection.requestsInFlight())
                    .put("bytes_in_flight", connection.bytesInFlight())
                    .endObject();
        }
        json.endArray().array("loops");
        for (LoopTurns loop : loops) {
            json.object()
                    .put("longest_turn_us", loop.longestNanos() / 1e3)
                    .put("slow_turns", loop.slow())
                    .endObject();
        }
        CacheFigures cache = device.cache().figures();
        json.endArray()
                .object("cache")
                .put("slots", cache.slots())
                .put("slots_in_use", cache.slotsInUse())
                .put("added", cache.adds())
                .put("hits", cache.hits() + cache.inFlightHits())
                .put("misses", cache.misses())
                .put("used", cache.pagesUsed())
                .endObject();
        RepairStatus.of(device).putInto(json);
        PrefetchStatus.of(device).putInto(json);
        HedgeStatus.putInto(json, device);
        if (recording != null) {
            recording.putInto(json);
        }
        json.object("requests");
        for (Operation operation : Operation.values()) {
            Histogram total = device.latencies().snapshot(operation, Stage.TOTAL);
            if (total.getTotalCount() > 0) {
                json.object(operation.label())
                        .put("count", total.getTotalCount())
                        .put("p50_us", total.getValueAtPercentile(50) / 1e3)
                        .put("p99_us", total.getValueAtPercentile(99) / 1e3)
                        .put("max_us", total.getMaxValue() / 1e3)
                        .endObject();
            }
        }
        json.endObject().object("errors");
        for (NbdError error : NbdError.values()) {
            json.put(error.name(), nbd.statistics().errors(error));
        }
        json.endObject().array("degraded");
        degraded().forEach(json::add);
        json.endArray();
        SecurityLine.putInto(json, security);
        return json.endObject() + "\n";
    }

    private String text() {
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                "leap-nbd serve, process %d, up %s%n",
                ProcessHandle.current().pid(),
                Durations.elapsed(Duration.ofMillis(System.currentTimeMillis() - startMillis))));
        out.append("export ")
                .append(settings.export())
                .append(": ")
                .append(Size.approximate(device.size()))
                .append(", ")
                .append(Size.approximate(device.map().pagesWritten() * Protocol.PAGE_SIZE))
                .append(" written")
                .append(encrypted())
                .append('\n');
        if (tls != null) {
            out.append("its exports belong to '")
                    .append(tls.own().name())
                    .append("' in pool '")
                    .append(tls.own().pool())
                    .append("'\n");
        }
        for (String uri : uris) {
            out.append("  ").append(uri).append('\n');
        }
        out.append('\n')
                .append(donorTable())
                .append(follower == null ? "" : follower.text() + "\n")
                .append(SpillStatus.text(device.spill()))
                .append(RepairStatus.of(device).text());
        Table clients = new Table("client", "export", "in flight", "since");
        for (ConnectionInfo connection : nbd.connections()) {
            clients.row(
                    connection.security().isEmpty()
                            ? connection.peer()
                            : connection.peer() + " (" + connection.security() + ")",
                    connection.export().isEmpty() ? "-" : connection.export(),
                    Integer.toString(connection.requestsInFlight()),
                    ago(connection.opened()));
        }
        if (!clients.isEmpty()) {
            out.append('\n').append(clients);
        }
        Table latencies = new Table("requests", "count", "p50", "p99", "max");
        for (Operation operation : Operation.values()) {
            Histogram total = device.latencies().snapshot(operation, Stage.TOTAL);
            if (total.getTotalCount() > 0) {
                latencies.row(
                        operation.label(),
                        String.format(Locale.ROOT, "%,d", total.getTotalCount()),
                        Durations.approximate(total.getValueAtPercentile(50)),
                        Durations.approximate(total.getValueAtPercentile(99)),
                        Durations.approximate(total.getMaxValue()));
            }
        }
        if (!latencies.isEmpty()) {
            out.append('\n').append(latencies);
        }
        out.append(errors());
        out.append("\nlongest turn of an event loop ")
                .append(Durations.approximate(
                        loops.stream().mapToLong(LoopTurns::longestNanos).max().orElse(0)))
                .append(", ")
                .append(loops.stream().mapToLong(LoopTurns::slow).sum())
                .append(" over ")
                .append(Durations.approximate(LoopTurns.SLOW_NANOS))
                .append('\n');
        out.append(HedgeStatus.text(device));
        out.append('\n').append(PrefetchStatus.of(device).text());
        if (recording != null) {
            out.append(recording.text());
        }
        List<String> complaints = degraded();
        if (!complaints.isEmpty()) {
            out.append("\ndegraded:\n");
            complaints.forEach(complaint -> out.append("  ").append(complaint).append('\n'));
        }
        return out.append(SecurityLine.text(security)).toString();
    }

    /** As a registry shows it. */
    ExportRecord record(String process) {
        long held = 0;
        for (int copies : slabsHeld()) {
            held += (long) copies * device.map().slabSize();
        }
        return new ExportRecord(
                settings.export(),
                tls == null ? Machine.hostName() : tls.own().name(),
                Machine.process(),
                process,
                device.size(),
                device.copies(),
                (int) device.donorSet().present().stream()
                        .filter(donor -> donor.use() == Donor.Use.USED && !donor.lastResort())
                        .count(),
                held,
                device.map().pagesLost(),
                degraded());
    }

    /** How many requests were answered with an error, and with which; empty if none was. */
    private String errors() {
        StringBuilder out = new StringBuilder();
        for (NbdError error : NbdError.values()) {
            long count = nbd.statistics().errors(error);
            if (count > 0) {
                out.append(out.isEmpty() ? "\nrequests that failed since the start: " : ", ")
                        .append(error.name())
                        .append(' ')
                        .append(count);
            }
        }
        return out.isEmpty() ? "" : out.append('\n').toString();
    }

    /** What protects the ways to its donors. */
    LinkStatus links() {
        return new LinkStatus(device, tls, settings.copies().encryption().kind().encrypts());
    }

    private String encrypted() {
        CipherKind cipher = settings.copies().encryption().kind();
        return cipher.encrypts() ? ", encrypted with " + cipher : "";
    }

    private Table donorTable() {
        Table donors = new Table(
                "donor", "state", "security", "links", "holds", "wants back", "free", "of", "timeouts", "reconnects");
        LinkStatus links = links();
        int[] held = slabsHeld();
        long slab = device.map().slabSize();
        for (int i : numbers()) {
            Donor donor = device.donors().get(i);
            donors.row(
                    donor.name(),
                    (donor.up() ? "up" : "down")
                            + (donor.use() == Donor.Use.USED ? "" : ", " + DonorSettings.use(donor)),
                    links.column(donor),
                    donor.linksUp() + "/" + settings.loops().count(),
                    Size.approximate(held[i] * slab),
                    donor.emptied()
                            ? donor.drained() ? "all (drained)" : "all (leaving)"
                            : donor.wantedBack() == 0 ? "-" : Size.approximate(donor.wantedBack() * slab),
                    Size.approximate(donor.freeSlabs() * slab),
                    Size.approximate(donor.totalSlabs() * slab),
                    Long.toString(donor.timeouts()),
                    Long.toString(donor.reconnects()));
        }
        return donors;
    }

    private static String ago(Instant then) {
        return Durations.format(
                Duration.ofSeconds(Duration.between(then, Instant.now()).toSeconds()));
    }
}
