package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.nbd.tls.Credentials;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd pool add}. */
@Command(
        name = "add",
        sortOptions = false,
        description = {
            "Makes a folder for one machine, in the pool's: certificates and keys to lend, to borrow, and to be a client.",
            ""
        })
public final class PoolAdd implements Callable<Integer> {

    private static final int DEFAULT_DAYS = 730;
    private static final int MOST_DAYS = 3650;

    /** What a shell takes as it is. */
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_@%+=:,./-]+");

    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?");

    @Parameters(index = "0", paramLabel = "FOLDER", description = "The pool's, which 'pool create' has made.")
    private Path pool = Path.of("");

    @Parameters(
            index = "1",
            paramLabel = "MACHINE",
            description = "Its host name, which is the name of the folder as well.")
    private String machine = "";

    @Parameters(
            index = "2..*",
            arity = "0..*",
            paramLabel = "ADDRESS",
            description = "Other names and addresses by which clients of NBD over TLS reach it.")
    private List<String> addresses = List.of();

    @Option(
            names = "--identity",
            paramLabel = "NAME",
            description =
                    "Whose exports it has. Machines with the same one can take each other's exports over, like a stand-by."
                            + " Default: the machine's name.")
    private @Nullable String identity;

    @Option(
            names = "--role",
            paramLabel = "ROLE",
            description = "donor, server or client: make only what that needs; may be repeated. Default: all.")
    private List<String> roles = List.of();

    @Option(
            names = "--days",
            paramLabel = "N",
            defaultValue = "" + DEFAULT_DAYS,
            description = "How long the certificates are good for: 1 to 3650 days. Default: ${DEFAULT-VALUE}.")
    private int days = DEFAULT_DAYS;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolAdd() {}

    @Override
    public Integer call() {
        String host = machine.toLowerCase(Locale.ROOT);
        require(
                HOST.matcher(host).matches() && NetUtil.createByteArrayFromIpAddressString(host) == null,
                "'" + machine + "' is no host name; addresses come behind it");
        require(days >= 1 && days <= MOST_DAYS, "--days: " + days + " is not in 1.." + MOST_DAYS);
        for (String address : addresses) {
            require(
                    HOST.matcher(address).matches() || NetUtil.createByteArrayFromIpAddressString(address) != null,
                    "'" + address + "' is neither a host name nor an address");
        }
        List<Role> wanted = wanted();
        String name = identity == null ? host : identity;
        Path folder = pool.resolve(host);
        Instant ends;
        try {
            ends = make(folder, host, name, wanted);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (GeneralSecurityException e) {
            throw new CommandFailure(ExitCode.FAILED, "no certificate can be made: " + e.getMessage(), e);
        }
        say(folder, host, name, wanted, ends);
        return ExitCode.OK;
    }

    private List<Role> wanted() {
        if (roles.isEmpty()) {
            return List.of(Role.values());
        }
        List<Role> wanted = new ArrayList<>();
        for (String label : roles) {
            Role found = null;
            for (Role role : Role.values()) {
                found = role.label().equals(label) ? role : found;
            }
            if (found == null) {
                throw new ParameterException(
                        spec.commandLine(), "--role: '" + label + "' is none of donor, server and client");
            }
            wanted.add(found);
        }
        return wanted;
    }

    private Instant make(Path folder, String host, String name, List<Role> wanted)
            throws IOException, GeneralSecurityException {
        if (!Files.exists(pool.resolve(PoolFolder.AUTHORITY_KEY))) {
            throw new IOException(pool + " is no pool: it has no " + PoolFolder.AUTHORITY_KEY
                    + "; 'leap-nbd pool create " + quoted(pool) + "' makes one");
        }
        Credentials read = new TlsFolder(pool).credentials("ca");
        X509Certificate own = read.chain().getFirst();
        PoolAuthority authority = new PoolAuthority(read.key(), own);
        Instant now = Instant.now();
        Instant until = now.plus(Duration.ofDays(days));
        if (now.isAfter(own.getNotAfter().toInstant())) {
            throw new IOException("the pool in " + pool + " has ended, on "
                    + day(own.getNotAfter().toInstant()) + "; make a new one, and add every machine to that");
        }
        List<String> hosts = new ArrayList<>(List.of(host));
        hosts.addAll(addresses);
        Map<Role, PoolAuthority.Issued> all = new EnumMap<>(Role.class);
        Instant ends = until;
        for (Role role : wanted) {
            PoolAuthority.Issued made = authority.issue(
                    new PoolName(poolName(own), role, role == Role.SERVER ? name : host), hosts, now, until);
            all.put(role, made);
            ends = made.certificate().getNotAfter().toInstant();
        }
        PemFiles.folder(folder);
        PemFiles.certificate(folder.resolve(PoolFolder.AUTHORITY), own);
        for (Map.Entry<Role, PoolAuthority.Issued> one : all.entrySet()) {
            PemFiles.write(folder, one.getKey().label(), one.getValue());
        }
        return ends;
    }

    /** As {@code pool create} has put it into the authority's subject. */
    private static String poolName(X509Certificate authority) {
        String subject = authority.getSubjectX500Principal().getName();
        return subject.substring(subject.lastIndexOf(' ') + 1);
    }

    private void say(Path folder, String host, String name, List<Role> made, Instant ends) {
        PrintWriter out = spec.commandLine().getOut();
        out.println("made " + folder + " for machine " + host
                + (made.contains(Role.SERVER) ? ", whose exports belong to '" + name + "'" : "") + "; good until "
                + day(ends));
        out.println("next:");
        out.println("  ssh root@" + host + " mkdir -p /etc/leap-nbd && scp -rp " + quoted(folder) + " root@" + host
                + ":/etc/leap-nbd/pool");
        if (made.contains(Role.DONOR)) {
            out.println("  on " + host + ", to lend:    leap-nbd donor --memory 8G --listen 0.0.0.0:9400 --pool"
                    + " /etc/leap-nbd/pool");
        }
        if (made.contains(Role.SERVER)) {
            out.println("  on " + host + ", to borrow:  leap-nbd serve --donors MACHINE,MACHINE --size 12G --unix"
                    + " /run/leap-nbd/leap.sock --pool /etc/leap-nbd/pool");
        }
        out.println("the folder holds keys: once it is there, remove it here");
    }

    static String day(Instant time) {
        return time.atZone(ZoneOffset.UTC).toLocalDate().toString();
    }

    /** For a shell. */
    static String quoted(Path path) {
        String text = path.toString();
        return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
    }

    private void require(boolean right, String message) {
        if (!right) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }
}
