package io.leapnbd.tools.cli;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.verbs.VerbsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.TypeConversionException;

/**
 * Where a donor is, and how to talk to it.
 *
 * @param transport how
 * @param address where
 * @param zone what counts as one machine; empty for its host
 */
public record DonorAddress(Transport transport, HostPort address, String zone) {

    private static final Pattern ZONE = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private static final Pattern COUNT = Pattern.compile("\\d{1,4}");

    /**
     * Reads a list, separated by commas: {@code tcp://h:p}, {@code h:p} or {@code h} for TCP, {@code rdma://h:p}, and
     * Leap's own {@code rdma://N,h:p,…} for N donors over RDMA. They may be mixed.
     *
     * @throws TypeConversionException if it is none, or names a donor twice; the message says what would be right
     */
    public static List<DonorAddress> parseList(String text) {
        List<DonorAddress> donors = new ArrayList<>();
        int counted = 0;
        int left = 0;
        for (String item : text.split(",", -1)) {
            String rest = item.strip();
            if (rest.isEmpty()) {
                throw new TypeConversionException(
                        "'" + text + "' has an empty place; write donors like h1:9400,h2:9400");
            }
            Transport transport = left > 0 ? Transport.RDMA : Transport.TCP;
            int scheme = rest.indexOf("://");
            if (scheme >= 0) {
                transport = transport(rest, rest.substring(0, scheme));
                rest = rest.substring(scheme + 3);
                if (transport == Transport.RDMA
                        && left == 0
                        && COUNT.matcher(rest).matches()) {
                    counted = Integer.parseInt(rest);
                    left = counted;
                    continue;
                }
            }
            String zone = "";
            int query = rest.indexOf('?');
            if (query >= 0) {
                zone = zone(item.strip(), rest.substring(query + 1));
                rest = rest.substring(0, query);
            }
            HostPort address = HostPort.parse(rest, Protocol.DEFAULT_PORT);
            if (address.port() == 0) {
                throw new TypeConversionException(
                        "'" + item.strip() + "' has port 0; give the port that the donor prints");
            }
            donors.add(new DonorAddress(transport, address, zone));
            left = Math.max(0, left - 1);
        }
        if (left > 0) {
            throw new TypeConversionException("'" + text + "' announces " + counted + " donors and lists "
                    + (counted - left) + "; the number after rdma:// says how many follow");
        }
        for (int i = 1; i < donors.size(); i++) {
            String name = donors.get(i).toString();
            if (donors.subList(0, i).stream().anyMatch(other -> other.toString().equals(name))) {
                throw new TypeConversionException("'" + donors.get(i) + "' is listed twice; name each donor once");
            }
        }
        return List.copyOf(donors);
    }

    /**
     * Checks that this machine can reach all donors over their transports.
     *
     * @throws TypeConversionException saying why not, and naming the list that would work
     */
    public static void requireTransports(List<DonorAddress> donors) {
        if (donors.stream().anyMatch(donor -> donor.transport() == Transport.RDMA)) {
            try {
                Rdma.require();
            } catch (VerbsException e) {
                throw new TypeConversionException(e.getMessage()
                        + "; or reach the donors over TCP, if they listen there: "
                        + donors.stream()
                                .map(donor -> new DonorAddress(Transport.TCP, donor.address(), donor.zone()).toString())
                                .collect(Collectors.joining(",")));
            }
        }
    }

    /** What counts as one machine: copies of a page are on different ones. */
    public String machine() {
        return zone.isEmpty() ? address.host() : "zone " + zone;
    }

    /** Whether it may be what counts as one machine. */
    public static boolean isZone(String name) {
        return ZONE.matcher(name).matches();
    }

    private static String zone(String item, String query) {
        String name = query.startsWith("zone=") ? query.substring("zone=".length()) : "";
        if (!isZone(name)) {
            throw new TypeConversionException("'" + item + "' has '?" + query
                    + "' behind it; write ?zone=NAME, with letters, digits, '.', '_' and '-'");
        }
        return name;
    }

    private static Transport transport(String item, String scheme) {
        return switch (scheme.toLowerCase(Locale.ROOT)) {
            case "tcp" -> Transport.TCP;
            case "rdma" -> Transport.RDMA;
            default ->
                throw new TypeConversionException("'" + item + "' begins with " + scheme
                        + "://, which is no transport; write tcp://host:port or just host:port");
        };
    }

    @Override
    public String toString() {
        return transport + address.toString();
    }
}
