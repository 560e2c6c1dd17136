package io.leapnbd.tools.registry;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * A pool at one moment, for people and for scripts: all that has registered. Immutable.
 *
 * @param name of the registry and the pool
 * @param donors that are named
 * @param exports whose servers are named
 */
public record PoolPicture(DonorSource.Etcd name, DonorListing donors, List<ExportRecord> exports) {

    /** What donors hold of an export of which no server has registered. */
    private record Orphan(String name, String owner, long bytes, long leaseSecondsLeft) {}

    /** Asks a registry. */
    public static PoolPicture of(DonorSource.Etcd etcd, EtcdClient client)
            throws RegistryException, InterruptedException {
        DonorListing donors = DonorListing.of(client.range(etcd.donors()).values());
        List<ExportRecord> exports = new ArrayList<>();
        for (String value : client.range(etcd.exports()).values().values()) {
            try {
                exports.add(ExportRecord.parse(value));
            } catch (IllegalArgumentException _) {
                // Whoever wrote that is no server.
            }
        }
        return new PoolPicture(etcd, donors, List.copyOf(exports));
    }

    private List<Orphan> orphans() {
        Map<String, Orphan> orphans = new TreeMap<>();
        for (DonorRecord donor : donors.donors()) {
            for (DonorRecord.Held held : donor.exports()) {
                if (held.bytes() > 0
                        && exports.stream().noneMatch(export -> export.name().equals(held.name()))) {
                    orphans.merge(
                            held.name() + '\n' + held.owner(),
                            new Orphan(held.name(), held.owner(), held.bytes(), held.leaseSecondsLeft()),
                            (one, other) -> new Orphan(
                                    one.name(),
                                    one.owner(),
                                    one.bytes() + other.bytes(),
                                    Math.max(one.leaseSecondsLeft(), other.leaseSecondsLeft())));
                }
            }
        }
        return List.copyOf(orphans.values());
    }

    /** On one screen. */
    public String text() {
        StringBuilder out = new StringBuilder("pool ")
                .append(name.pool())
                .append(" in ")
                .append(name)
                .append('\n');
        Table table = new Table("donor", "zone", "identity", "state", "over", "lends", "lent", "free", "exports");
        long lends = 0;
        long free = 0;
        int ready = 0;
        for (DonorRecord one : donors.donors()) {
            boolean isReady = one.state() == DonorRecord.State.READY;
            ready += isReady ? 1 : 0;
            lends += isReady ? Math.max(0, one.total()) : 0;
            free += isReady ? Math.max(0, one.free()) : 0;
            table.row(
                    PrintableText.of(one.address().toString()),
                    dash(one.zone()),
                    dash(one.identity()),
                    one.state().toString(),
                    one.transports().stream()
                            .map(transport -> transport == Transport.TCP ? "tcp" : "rdma")
                            .collect(Collectors.joining("+")),
                    size(one.total()),
                    size(lent(one)),
                    isReady ? size(one.free()) : "-",
                    Integer.toString(one.exports().size()));
        }
        out.append('\n').append(table.isEmpty() ? "no donor is registered\n" : table.toString());
        if (ready > 1) {
            out.append(String.format(
                    Locale.ROOT,
                    "%d donors are ready; they lend %s, of which %s are free%n",
                    ready,
                    Size.approximate(lends),
                    Size.approximate(free)));
        }
        Table served = new Table("export", "owner", "server", "size", "copies", "donors", "holds", "pages lost");
        for (ExportRecord one : exports) {
            served.row(
                    dash(one.name()),
                    dash(one.owner()),
                    dash(one.server()),
                    size(one.size()),
                    Integer.toString(one.copies()),
                    Integer.toString(one.donors()),
                    size(one.held()),
                    Long.toString(one.pagesLost()));
        }
        for (Orphan one : orphans()) {
            served.row(
                    dash(one.name()),
                    dash(one.owner()),
                    one.leaseSecondsLeft() < 0
                            ? "not registered"
                            : "none; kept for " + Durations.elapsed(Duration.ofSeconds(one.leaseSecondsLeft())),
                    "-",
                    "-",
                    "-",
                    size(one.bytes()),
                    "-");
        }
        out.append('\n').append(served.isEmpty() ? "no export is registered\n" : served.toString());
        List<String> complaints = complaints();
        if (!complaints.isEmpty()) {
            out.append("\ndegraded:\n");
            complaints.forEach(one -> out.append("  ").append(one).append('\n'));
        }
        return out.toString();
    }

    private List<String> complaints() {
        List<String> complaints = new ArrayList<>(donors.unfit());
        for (ExportRecord export : exports) {
            export.degraded().forEach(one -> complaints.add(dash(export.name()) + ": " + PrintableText.of(one)));
        }
        return complaints;
    }

    private static long lent(DonorRecord one) {
        return one.exports().stream().mapToLong(DonorRecord.Held::bytes).sum();
    }

    private static String dash(String text) {
        return text.isEmpty() ? "-" : PrintableText.of(text);
    }

    private static String size(long bytes) {
        return bytes < 0 ? "-" : Size.approximate(bytes);
    }

    /** For scripts. */
    public String json() {
        Json json = new Json()
                .object()
                .put("registry", name.toString())
                .put("pool", name.pool())
                .array("donors");
        for (DonorRecord one : donors.donors()) {
            json.object()
                    .put("address", one.address().toString())
                    .put("zone", one.zone())
                    .put("identity", one.identity())
                    .put("state", one.state().toString())
                    .put("bytes_total", one.total())
                    .put("bytes_lent", lent(one))
                    .put("bytes_free", one.free())
                    .array("exports");
            one.exports()
                    .forEach(held -> json.object()
                            .put("name", held.name())
                            .put("owner", held.owner())
                            .put("bytes", held.bytes())
                            .put("lease_seconds_left", held.leaseSecondsLeft())
                            .endObject());
            json.endArray().endObject();
        }
        json.endArray().array("exports");
        for (ExportRecord one : exports) {
            json.object()
                    .put("name", one.name())
                    .put("owner", one.owner())
                    .put("server", one.server())
                    .put("size", one.size())
                    .put("copies", one.copies())
                    .put("donors", one.donors())
                    .put("bytes_held", one.held())
                    .put("pages_lost", one.pagesLost())
                    .endObject();
        }
        json.endArray().array("degraded");
        complaints().forEach(json::add);
        return json.endArray().endObject() + "\n";
    }
}
