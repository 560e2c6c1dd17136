package io.leapnbd.tools.registry;

import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** The options of {@code donor}, {@code serve} and {@code pool status} about how they make themselves known to an etcd. */
public final class RegistryOptions {

    @Option(
            names = "--registry-user",
            paramLabel = "FILE",
            description =
                    "For an etcd with users: a file that only this user may read, with a user's name in its first line and"
                            + " his password in the second.")
    private @Nullable Path user;

    @Option(
            names = "--registry-tls",
            paramLabel = "FOLDER",
            description =
                    "Speak TLS with etcd. FOLDER has ca-cert.pem of whoever signed etcd's certificate; and client-cert.pem with"
                            + " client-key.pem, if it asks for one.")
    private @Nullable Path tls;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public RegistryOptions() {}

    /**
     * Reads the files.
     *
     * @throws ParameterException if one of them cannot be used
     */
    public RegistryAccess access() {
        List<String> unfit = unfitFiles();
        if (!unfit.isEmpty()) {
            throw new ParameterException(command.commandLine(), unfit.getFirst());
        }
        try {
            return new RegistryAccess(
                    user == null ? null : RegistryAccess.Login.read(user),
                    tls == null ? null : new TlsFolder(tls).javaClient());
        } catch (IOException e) {
            throw new ParameterException(command.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    /** Refuses them where there is no etcd. */
    public void requireNone(String sentence) {
        if (user != null || tls != null) {
            throw new ParameterException(
                    command.commandLine(), (user != null ? "--registry-user" : "--registry-tls") + ": " + sentence);
        }
    }

    /** What is wrong with the files, a sentence each. */
    public List<String> unfitFiles() {
        List<String> unfit = new ArrayList<>();
        try {
            if (user != null) {
                var _ = RegistryAccess.Login.read(user);
            }
        } catch (IOException e) {
            unfit.add("--registry-user: " + e.getMessage());
        }
        try {
            if (tls != null) {
                var _ = new TlsFolder(tls).javaClient();
            }
        } catch (IOException e) {
            unfit.add("--registry-tls: " + e.getMessage());
        }
        return unfit;
    }
}
