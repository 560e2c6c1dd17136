package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.nbd.tls.Credentials;
import io.leapnbd.nbd.tls.RevokedFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.http.ShownCertificate;
import io.leapnbd.tools.linux.Machine;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The folder in a pool's that is for one machine: the certificates it shows, their keys, and the authority's certificate.
 *
 * @param pool the pool's folder
 * @param host the machine's name, in small letters, and the folder's
 */
record MachineFolder(Path pool, String host) {

    /** How long certificates are good for, if nothing is said. */
    static final int DEFAULT_DAYS = 730;

    /** What a shell takes as it is. */
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?");

    private static final Pattern NUMBER_LAST = Pattern.compile("(.*\\.)?[0-9]+");

    /** What is in a pool's folder beside the machines' folders. */
    private static final Set<String> FILES =
            Set.of(RevokedFile.NAME, PoolMachines.NAME, PoolFolder.AUTHORITY, PoolFolder.AUTHORITY_KEY);

    /**
     * Names a machine of a pool.
     *
     * @throws IllegalArgumentException in a sentence, if that is no host name, or is taken by a file of the pool
     */
    static MachineFolder of(Path pool, String machine) {
        if (!isHost(machine)) {
            throw new IllegalArgumentException("'" + machine + "' is no host name");
        }
        String host = machine.toLowerCase(Locale.ROOT);
        if (FILES.contains(host)) {
            throw new IllegalArgumentException("'" + machine
                    + "' is the name of a file in the pool's folder; give the machine's name with its domain");
        }
        return new MachineFolder(pool, host);
    }

    /** Whether that is a host's name, and no address. */
    static boolean isHost(String name) {
        return HOST.matcher(name).matches() && NetUtil.createByteArrayFromIpAddressString(name) == null;
    }

    /** Refuses a folder that no pool was made in. */
    static void requirePool(Path pool) throws IOException {
        if (!Files.exists(pool)) {
            throw new IOException(
                    pool + ": no such folder; name that of a pool, or make one with 'leap-nbd pool create'");
        }
        if (!Files.exists(pool.resolve(PoolFolder.AUTHORITY_KEY))) {
            throw new IOException(pool + " is no pool: it has no " + PoolFolder.AUTHORITY_KEY
                    + "; 'leap-nbd pool create " + quoted(pool) + "' makes one");
        }
    }

    /** Whether clients may reach a machine by that. */
    static boolean isAddress(String text) {
        if (NetUtil.createByteArrayFromIpAddressString(text) != null) {
            return true;
        }
        // No name's last part is a number: that is an address with something wrong in it.
        return HOST.matcher(text).matches() && !NUMBER_LAST.matcher(text).matches();
    }

    Path path() {
        return pool.resolve(host);
    }

    /**
     * Makes certificates and the folder.
     *
     * @param identity whose exports the machine has
     * @param addresses more names and addresses for the certificates
     * @param roles at least one
     * @param days 1 to 3650
     * @return when they end: sooner than asked for if the pool does
     * @throws IOException in one sentence, if the pool cannot be read or the folder is there
     * @throws GeneralSecurityException if this Java makes no certificates
     */
    Instant make(String identity, List<String> addresses, List<Role> roles, int days)
            throws IOException, GeneralSecurityException {
        requirePool(pool);
        Credentials read = new TlsFolder(pool).credentials("ca");
        X509Certificate own = read.chain().getFirst();
        PoolAuthority authority = new PoolAuthority(read.key(), own);
        RevokedFile revoked = RevokedFile.in(pool);
        Instant now = Instant.now();
        Instant since = revoked.before().get(host);
        if (since != null && now.isBefore(since.plus(PoolAuthority.CLOCKS))) {
            // It was taken out in this very second.
            now = since.plus(PoolAuthority.CLOCKS);
        }
        Instant until = now.plus(Duration.ofDays(days));
        if (now.isAfter(own.getNotAfter().toInstant())) {
            throw new IOException("the pool in " + pool + " has ended, on "
                    + ShownCertificate.day(own.getNotAfter().toInstant())
                    + "; make a new one, and add every machine to that");
        }
        List<String> hosts = new ArrayList<>(List.of(host));
        hosts.addAll(addresses);
        Map<Role, PoolAuthority.Issued> all = new EnumMap<>(Role.class);
        Instant ends = until;
        for (Role role : roles) {
            PoolAuthority.Issued made = authority.issue(
                    new PoolName(poolName(own), role, role == Role.SERVER ? identity : host), hosts, now, until);
            all.put(role, made);
            ends = made.certificate().getNotAfter().toInstant();
        }
        PemFiles.folder(path());
        PoolMachines.in(pool).with(host).write(pool);
        PemFiles.certificate(path().resolve(PoolFolder.AUTHORITY), own);
        if (!revoked.before().isEmpty()) {
            PemFiles.revoked(path(), revoked.before());
        }
        for (Map.Entry<Role, PoolAuthority.Issued> one : all.entrySet()) {
            PemFiles.write(path(), one.getKey().label(), one.getValue());
        }
        return ends;
    }

    /** Says what was made. */
    void sayMade(PrintWriter out, String identity, List<Role> roles, Instant ends) {
        out.println("made " + path() + " for machine " + host
                + (roles.contains(Role.SERVER) ? ", whose exports belong to '" + identity + "'" : "") + "; good until "
                + ShownCertificate.day(ends));
    }

    /** Says how the folder's files come to its machine: the same for the first ones and for new ones in their place. */
    void sayCopy(PrintWriter out) {
        String from = quoted(path().toAbsolutePath().normalize());
        boolean here = host.equals(Machine.hostName().toLowerCase(Locale.ROOT));
        out.println(
                here
                        ? "  mkdir -p -m 700 /etc/leap-nbd/pool && cp -p " + from + "/* /etc/leap-nbd/pool/"
                        : "  ssh root@" + host + " mkdir -p -m 700 /etc/leap-nbd/pool && scp -p " + from + "/* root@"
                                + host + ":/etc/leap-nbd/pool/");
    }

    /** Says how a machine lends, and how one borrows. */
    static void sayUse(PrintWriter out, String on, List<Role> roles) {
        if (roles.contains(Role.DONOR)) {
            out.println("  on " + on + ", to lend:    leap-nbd donor --memory 8G --listen 0.0.0.0:9400 --pool"
                    + " /etc/leap-nbd/pool");
        }
        if (roles.contains(Role.SERVER)) {
            out.println("  on " + on + ", to swap:    leap-nbd serve --swap --donors MACHINE,MACHINE --size 12G"
                    + " --pool /etc/leap-nbd/pool");
        }
    }

    /** As {@code pool create} has put it into the authority's subject. */
    private static String poolName(X509Certificate authority) {
        String subject = authority.getSubjectX500Principal().getName();
        return subject.substring(subject.lastIndexOf(' ') + 1);
    }

    /** For a shell. */
    static String quoted(Path path) {
        String text = path.toString();
        return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}
