package io.leapnbd.tools.registry;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.JsonValue;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/**
 * What a donor says of itself in a registry. Nobody vouches for it: whoever may write there can write anything.
 *
 * @param address where servers connect
 * @param transports over which
 * @param zone what counts as one machine; empty for the address's host
 * @param identity the name in its certificate; empty without a pool of certificates
 * @param machine number of the machine that it runs on, as text; empty if that is not known
 * @param process which donor process it is: {@link #processOf} of its incarnation; empty if that is not known
 * @param state whether it is to be used
 * @param slabSize bytes of a slab; 0 if that is not known
 * @param total bytes that it lends at most; -1 if that is not known
 * @param free bytes that it would lend now; -1 if that is not known
 * @param exports what is lent to whom, the first of them
 */
public record DonorRecord(
        HostPort address,
        Set<Transport> transports,
        String zone,
        String identity,
        String machine,
        String process,
        State state,
        long slabSize,
        long total,
        long free,
        List<Held> exports) {

    /** Whether a donor is to be used. */
    public enum State {
        /** It lends. */
        READY,
        /** It was told to end, and gives back what servers have there. */
        LEAVING,
        /** It has ended, in good order. */
        LEFT;

        private static State of(String text) {
            return switch (text) {
                case "ready" -> READY;
                case "left" -> LEFT;
                // Whatever else a later version has, it is not to be used.
                default -> LEAVING;
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What a donor holds of one export.
     *
     * @param name the export's
     * @param owner whose it is
     * @param bytes that it holds
     * @param leaseSecondsLeft until it is taken back; -1 while its server is connected
     */
    public record Held(String name, String owner, long bytes, long leaseSecondsLeft) {}

    /** Exports that a donor tells of, so that what it writes stays small. */
    public static final int MOST_EXPORTS = 8;

    private static final int VERSION = 1;

    /** Of a name that is shown to people. */
    private static final int LONGEST_NAME = 255;

    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9._:%-]+");

    private static final Pattern ZONE = Pattern.compile("[A-Za-z0-9._-]{0,64}");

    /** A number that names a donor process and is not its incarnation, which only those who have a link need to know. */
    public static String processOf(UUID incarnation) {
        return UUID.nameUUIDFromBytes(("leap-nbd process " + incarnation).getBytes(StandardCharsets.UTF_8))
                .toString();
    }

    /** One of which nothing is known but where it is. */
    static DonorRecord at(HostPort address) {
        return new DonorRecord(address, EnumSet.of(Transport.TCP), "", "", "", "", State.READY, 0, -1, -1, List.of());
    }

    /** As it is in the registry. */
    public String json() {
        Json json = new Json().object().put("v", VERSION).put("address", address.toString());
        json.array("transports");
        transports.forEach(one -> json.add(one.name().toLowerCase(Locale.ROOT)));
        json.endArray()
                .put("zone", zone)
                .put("identity", identity)
                .put("machine", machine)
                .put("process", process)
                .put("state", state.toString())
                .put("slab_size", slabSize)
                .put("bytes_total", total)
                .put("bytes_free", free)
                .array("exports");
        exports.stream()
                .limit(MOST_EXPORTS)
                .forEach(held -> json.object()
                        .put("name", held.name())
                        .put("owner", held.owner())
                        .put("bytes", held.bytes())
                        .put("lease_seconds_left", held.leaseSecondsLeft())
                        .endObject());
        return json.endArray().endObject().toString();
    }

    /**
     * Reads it. What this version does not know is passed over.
     *
     * @throws IllegalArgumentException in a few words, if it cannot be used
     */
    public static DonorRecord parse(String text) {
        JsonValue read = JsonValue.parse(text);
        long version = read.get("v").number(0);
        if (version != VERSION) {
            throw new IllegalArgumentException("it is of version " + version + ", and " + VERSION + " is known here");
        }
        HostPort address;
        try {
            address = HostPort.parse(read.get("address").text(""), 0);
        } catch (TypeConversionException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        if (address.port() == 0) {
            throw new IllegalArgumentException("its address '" + address + "' has no port");
        }
        requireHost(address.host());
        if (address.host().equals("0.0.0.0") || address.host().equals("::")) {
            throw new IllegalArgumentException("its address " + address + " is that of no machine");
        }
        if (address.host().getBytes(StandardCharsets.UTF_8).length > io.leapnbd.bypass.link.DonorAddress.MAX_HOST) {
            throw new IllegalArgumentException("its host's name is too long");
        }
        Set<Transport> transports = EnumSet.noneOf(Transport.class);
        for (JsonValue one : read.get("transports").items()) {
            switch (one.text("")) {
                case "tcp" -> transports.add(Transport.TCP);
                case "rdma" -> transports.add(Transport.RDMA);
                default -> {
                    // One of a later version.
                }
            }
        }
        if (transports.isEmpty()) {
            throw new IllegalArgumentException("it names no transport that is known here");
        }
        String zone = read.get("zone").text("");
        if (!ZONE.matcher(zone).matches()) {
            throw new IllegalArgumentException("its zone is no name");
        }
        return new DonorRecord(
                address,
                transports,
                zone,
                name(read, "identity"),
                name(read, "machine"),
                name(read, "process"),
                State.of(read.get("state").text("")),
                read.get("slab_size").number(0),
                read.get("bytes_total").number(-1),
                read.get("bytes_free").number(-1),
                held(read));
    }

    /** Whether it may be a host's name or address: nothing that a list of donors has between them. */
    static void requireHost(String host) {
        if (!HOST.matcher(host).matches()) {
            throw new IllegalArgumentException("'" + host + "' is no host's name or address");
        }
    }

    private static List<Held> held(JsonValue read) {
        List<Held> all = new ArrayList<>();
        for (JsonValue one : read.get("exports").items()) {
            if (all.size() < MOST_EXPORTS) {
                all.add(new Held(
                        name(one, "name"),
                        name(one, "owner"),
                        one.get("bytes").number(0),
                        one.get("lease_seconds_left").number(-1)));
            }
        }
        return all;
    }

    private static String name(JsonValue read, String name) {
        String text = read.get(name).text("");
        return text.substring(0, Math.min(text.length(), LONGEST_NAME));
    }

    /**
     * As {@code --donors} would name it.
     *
     * @param rdma whether this machine can use RDMA
     */
    public DonorAddress address(boolean rdma) {
        boolean over = transports.contains(Transport.RDMA) && (rdma || !transports.contains(Transport.TCP));
        return new DonorAddress(over ? Transport.RDMA : Transport.TCP, address, zone);
    }
}
