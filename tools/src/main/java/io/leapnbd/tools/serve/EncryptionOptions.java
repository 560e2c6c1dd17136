package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.tools.cli.DonorAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** The options of {@code serve} about the encryption of pages. */
final class EncryptionOptions {

    @Option(
            names = "--encrypt",
            paramLabel = "HOW",
            description =
                    "aes-256-gcm, which is on, or aes-128-gcm: pages are encrypted before they leave this process, and a page that"
                            + " a donor has changed is found out. Only the state file can read them then. off: donors see pages as"
                            + " they are. Default: on, but off if all donors are on this machine.")
    private @Nullable String how;

    @Option(
            names = "--key-file",
            paramLabel = "FILE",
            description =
                    "The secret that pages are encrypted with: 32 bytes or 64 hexadecimal digits, which only this user may read; a"
                            + " systemd credential, say. Default: one is drawn and kept in the state file.")
    private @Nullable Path keyFile;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    EncryptionOptions() {}

    /**
     * Whether donors on other machines may not be added later: pages are not encrypted, and nobody has said that this may be.
     *
     * @param donors of the server; null if they may be anywhere
     */
    boolean onlyThisMachine(@Nullable List<DonorAddress> donors) {
        return how == null && onThisMachine(donors);
    }

    private static boolean onThisMachine(@Nullable List<DonorAddress> donors) {
        return donors != null
                && donors.stream()
                        .map(DonorSettings::address)
                        .allMatch(io.leapnbd.bypass.link.DonorAddress::onThisMachine);
    }

    /**
     * What was asked for.
     *
     * @param donors of the server; null if they may be anywhere
     */
    Encryption choice(@Nullable List<DonorAddress> donors) {
        CipherKind kind = kind(donors);
        if (keyFile == null) {
            return Encryption.by(kind);
        }
        if (!kind.encrypts()) {
            throw new ParameterException(
                    command.commandLine(),
                    "--key-file: pages are not encrypted" + (how == null ? ", as all donors are on this machine" : "")
                            + "; say --encrypt on");
        }
        try {
            return Encryption.by(kind, KeyFile.read(keyFile));
        } catch (IOException e) {
            throw new ParameterException(command.commandLine(), "--key-file: " + e.getMessage(), e);
        }
    }

    /** What is wrong with the file of the key, in a list of one sentence; none if nothing is, or there is none. */
    List<String> unfitFiles() {
        if (keyFile == null) {
            return List.of();
        }
        try {
            Arrays.fill(KeyFile.read(keyFile), (byte) 0);
            return List.of();
        } catch (IOException e) {
            return List.of("--key-file: " + e.getMessage());
        }
    }

    private CipherKind kind(@Nullable List<DonorAddress> donors) {
        if (how == null) {
            return onThisMachine(donors) ? CipherKind.NONE : CipherKind.AES_256_GCM;
        }
        if (how.equals("on")) {
            return CipherKind.AES_256_GCM;
        }
        for (CipherKind kind : CipherKind.values()) {
            if (how.equals(kind.toString())) {
                return kind;
            }
        }
        throw new ParameterException(
                command.commandLine(),
                "--encrypt: '" + how + "' is none of on, off, " + CipherKind.AES_256_GCM + " and "
                        + CipherKind.AES_128_GCM);
    }
}
