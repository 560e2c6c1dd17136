package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** The options of {@code donor} and {@code serve} about who is at the other end of their links. */
public final class PoolOptions {

    @Option(
            names = "--pool",
            paramLabel = "FOLDER",
            description = "Both ends of a link show a certificate of one pool, over TLS. FOLDER is what 'leap-nbd pool"
                    + " add' made for this machine.")
    private @Nullable Path folder;

    @Option(
            names = "--insecure",
            description =
                    "Go on where nobody shows who he is and nothing is encrypted: links beyond this machine, and over RDMA, without"
                            + " --pool; clients of 'serve' beyond this machine without TLS. Only for a network that is all yours.")
    private boolean insecure;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public PoolOptions() {}

    /** The folder, for links in TLS; null for no pool. */
    public @Nullable PoolFolder folder() {
        return folder(LinkProtection.TLS);
    }

    /** The folder, with what is asked of links; null for no pool. */
    public @Nullable PoolFolder folder(LinkProtection protection) {
        return folder == null ? null : new PoolFolder(folder, protection);
    }

    /** Why the folder is of no use in this role, in a list of one sentence; none if it is, or there is none. */
    public List<String> unfitFiles(Role role) {
        PoolFolder named = folder();
        if (named != null) {
            try (LinkTls _ = role == Role.DONOR ? named.donor() : named.server()) {
                return List.of();
            } catch (IOException e) {
                return List.of(String.valueOf(e.getMessage()));
            }
        }
        return List.of();
    }

    /** Whether what is not authenticated will do. */
    public boolean insecure() {
        return insecure;
    }

    /** Refuses a link that nobody vouches for, unless that will do. */
    public void require(boolean secured, String sentence) {
        if (!secured && !insecure) {
            throw new ParameterException(command.commandLine(), sentence);
        }
    }
}
