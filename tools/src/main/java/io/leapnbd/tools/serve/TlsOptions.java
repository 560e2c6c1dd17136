package io.leapnbd.tools.serve;

import java.nio.file.Path;
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
            names = "--tls",
            paramLabel = "MODE",
            description =
                    "require: clients over TCP have to use TLS; over a Unix socket nobody has to. on: they may. off: they"
                            + " cannot. Default: require with --tls-certificates, else off.")
    private @Nullable String mode;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    TlsOptions() {}

    TlsChoice choice() {
        String wanted = mode == null ? certificates == null ? "off" : "require" : mode;
        if (!List.of("off", "on", "require").contains(wanted)) {
            throw new ParameterException(
                    command.commandLine(), "--tls: '" + wanted + "' is none of require, on and off");
        }
        if (wanted.equals("off")) {
            return TlsChoice.OFF;
        }
        if (certificates == null) {
            throw new ParameterException(
                    command.commandLine(),
                    "--tls: there are no certificates to show; name their folder with --tls-certificates");
        }
        return new TlsChoice(certificates, wanted.equals("require"));
    }
}
