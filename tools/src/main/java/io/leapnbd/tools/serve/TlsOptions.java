package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.NbdTls;
import io.leapnbd.nbd.tls.PskFile;
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

/** The options of {@code serve} about TLS. */
final class TlsOptions {

    @Option(
            names = "--tls-certificates",
            paramLabel = "FOLDER",
            description =
                    "Speak TLS with clients. The folder has ca-cert.pem, server-cert.pem and server-key.pem, as nbdkit and"
                            + " qemu have them. Clients need a certificate of that CA too.")
    private @Nullable Path certificates;

    @Option(
            names = "--tls-psk",
            paramLabel = "FILE",
            description =
                    "Speak TLS with clients that have a key of this file instead: lines of NAME:HEXKEY, as psktool writes and"
                            + " nbdkit, qemu and libnbd read them, for this user alone to read. It is read at the start, and by 'leap-nbd reload'."
                            + " Needs OpenSSL 3.")
    private @Nullable Path keys;

    @Option(
            names = "--tls",
            paramLabel = "MODE",
            description =
                    "require: clients over TCP have to use TLS; over a Unix socket nobody has to. on: they may. off: they"
                            + " cannot. Default: require with --tls-certificates or --tls-psk, else off.")
    private @Nullable String mode;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    TlsOptions() {}

    TlsChoice choice() {
        boolean known = certificates != null || keys != null;
        String wanted = mode == null ? known ? "require" : "off" : mode;
        if (!List.of("off", "on", "require").contains(wanted)) {
            throw new ParameterException(
                    command.commandLine(), "--tls: '" + wanted + "' is none of require, on and off");
        }
        if (certificates != null && keys != null) {
            throw new ParameterException(
                    command.commandLine(),
                    "--tls-certificates and --tls-psk are two ways to know a client, and a server has one; leave one out");
        }
        if (wanted.equals("off")) {
            return TlsChoice.OFF;
        }
        if (!known) {
            throw new ParameterException(
                    command.commandLine(),
                    "--tls: there is nothing to know clients by; name a folder of certificates with --tls-certificates, or a"
                            + " file of keys with --tls-psk");
        }
        return new TlsChoice(certificates, keys == null ? null : check(keys), wanted.equals("require"));
    }

    /** What is wrong with the files, each a sentence; none if nothing is, or TLS is off. */
    List<String> unfitFiles() {
        if ("off".equals(mode)) {
            return List.of();
        }
        List<String> wrong = new ArrayList<>();
        if (certificates != null) {
            wrong.addAll(unfit(new TlsChoice(certificates, null, true)));
        }
        if (keys != null) {
            wrong.addAll(unfit(new TlsChoice(null, new PskFile(keys), true)));
        }
        return wrong;
    }

    private static List<String> unfit(TlsChoice choice) {
        try (NbdTls _ = choice.open()) {
            return List.of();
        } catch (IOException e) {
            return List.of(String.valueOf(e.getMessage()));
        }
    }

    /** Said now, and read again when the server starts. */
    private PskFile check(Path file) {
        PskFile named = new PskFile(file);
        try {
            var _ = named.read();
            return named;
        } catch (IOException e) {
            throw new ParameterException(command.commandLine(), "--tls-psk: " + e.getMessage(), e);
        }
    }
}
