package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.TypeConversionException;

/** Where a server knows its donors from: what {@code serve --donors} says. */
public sealed interface DonorSource {

    /** What an etcd's address begins with. */
    String ETCD = "etcd://";

    /** What a name in DNS begins with. */
    String DNS = "dns:";

    /**
     * A list, which stays as it is.
     *
     * @param donors as they were named
     */
    record Named(List<DonorAddress> donors) implements DonorSource {}

    /**
     * An etcd.
     *
     * @param members of which any may answer, in the order in which they are asked
     * @param pool whose donors
     */
    record Etcd(List<HostPort> members, String pool) implements DonorSource {

        private static final int PORT = 2379;

        private static final Pattern POOL = Pattern.compile("[A-Za-z0-9._-]{1,64}");

        /**
         * Reads {@code etcd://h:p,h:p/POOL}.
         *
         * @throws TypeConversionException if it is none; the message says what would be right
         */
        public static Etcd parse(String text) {
            String form = "; write it like etcd://h1:2379,h2:2379,h3:2379/POOL";
            if (!text.startsWith(ETCD)) {
                throw new TypeConversionException("'" + text + "' is no registry" + form);
            }
            String rest = text.substring(ETCD.length());
            int slash = rest.indexOf('/');
            if (slash < 0 || slash == rest.length() - 1) {
                throw new TypeConversionException("'" + text + "' names no pool" + form);
            }
            if (rest.contains("@")) {
                throw new TypeConversionException(
                        "a registry's address has no user in it, as everybody sees command lines; name a file with --registry-user");
            }
            String pool = rest.substring(slash + 1);
            if (!POOL.matcher(pool).matches()) {
                throw new TypeConversionException(
                        "'" + pool + "' is no pool's name: that has 1 to 64 letters, digits, '.', '_' and '-'" + form);
            }
            List<HostPort> members = Arrays.stream(rest.substring(0, slash).split(",", -1))
                    .map(member -> HostPort.parse(member, PORT))
                    .distinct()
                    .toList();
            return new Etcd(members, pool);
        }

        /** What the keys of its donors begin with. */
        String donors() {
            return "/leap-nbd/" + pool + "/donors/";
        }

        /** What the keys of its exports begin with. */
        String exports() {
            return "/leap-nbd/" + pool + "/exports/";
        }

        @Override
        public String toString() {
            return ETCD + members.stream().map(HostPort::toString).collect(Collectors.joining(",")) + "/" + pool;
        }
    }

    /**
     * A name in DNS with SRV records (RFC 2782).
     *
     * @param server who is asked; null for whoever the machine asks
     * @param name like {@code _leap-nbd._tcp.example.org}
     */
    record Dns(@Nullable HostPort server, String name) implements DonorSource {

        private static final int PORT = 53;

        private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,253}");

        private static Dns parse(String text) {
            String rest = text.substring(DNS.length());
            HostPort server = null;
            if (rest.startsWith("//")) {
                int slash = rest.indexOf('/', 2);
                String host = slash < 0 ? "" : rest.substring(2, slash);
                server = host.isEmpty() ? null : HostPort.parse(host, PORT);
                rest = slash < 0 ? "" : rest.substring(slash + 1);
            }
            if (!NAME.matcher(rest).matches()) {
                throw new TypeConversionException(
                        "'" + text + "' names no SRV record; write it like dns:_leap-nbd._tcp.example.org");
            }
            return new Dns(server, rest);
        }

        @Override
        public String toString() {
            return DNS + (server == null ? "" : "//" + server + "/") + name;
        }
    }

    /**
     * Reads what {@code --donors} says.
     *
     * @throws TypeConversionException if it is none of these; the message says what would be right
     */
    static DonorSource parse(String text) {
        String stripped = text.strip();
        if (stripped.startsWith(ETCD)) {
            return Etcd.parse(stripped);
        }
        if (stripped.startsWith(DNS)) {
            return Dns.parse(stripped);
        }
        return new Named(DonorAddress.parseList(stripped));
    }

    /** Whether a text names a registry, and not donors. */
    static boolean isRegistry(String text) {
        return text.strip().startsWith(ETCD) || text.strip().startsWith(DNS);
    }
}
