package io.leapnbd.tools.http;

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
import picocli.CommandLine.TypeConversionException;

/** The options of a server or donor about who may use its HTTP endpoint. */
public final class EndpointAccessOptions {

    @Option(
            names = "--http-token",
            paramLabel = "FILE",
            description =
                    "Answer HTTP only to who shows the token in FILE, one line of 16 characters or more (Authorization:"
                            + " Bearer). The file has mode 0600 and is this user's. 'status' and others take it with --token-file.")
    private @Nullable Path token;

    @Option(
            names = "--http-tls",
            paramLabel = "FOLDER",
            description =
                    "Answer HTTPS, with server-cert.pem and server-key.pem of FOLDER. Without --http-token clients have to show"
                            + " a certificate of its ca-cert.pem. One of the two is needed where other machines reach --http.")
    private @Nullable Path tls;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public EndpointAccessOptions() {}

    /** What is wrong with the files, each a sentence. */
    public List<String> unfitFiles() {
        List<String> wrong = new ArrayList<>(unfit(token, null));
        wrong.addAll(unfit(null, tls));
        return wrong;
    }

    private static List<String> unfit(@Nullable Path token, @Nullable Path tls) {
        try {
            var _ = EndpointAccess.read(token, tls);
            return List.of();
        } catch (IOException e) {
            return List.of(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Where the endpoint is to listen, and for whom. Files are read now, and an address that would be open to others is refused.
     *
     * @param option what {@code --http} says; null if it was not given
     * @param usual the address that is preferred then; null for none
     * @return null if there is to be none
     */
    public @Nullable EndpointAddress address(@Nullable String option, @Nullable String usual) {
        EndpointAddress address;
        try {
            address = option == null && usual == null ? null : EndpointAddress.parse(option, String.valueOf(usual));
        } catch (TypeConversionException e) {
            throw new ParameterException(command.commandLine(), "--http: " + e.getMessage(), e);
        }
        if (address == null) {
            if (token != null || tls != null) {
                throw new ParameterException(
                        command.commandLine(),
                        (token != null ? "--http-token" : "--http-tls")
                                + ": there is no HTTP endpoint; give it an address with --http, or leave this out");
            }
            return null;
        }
        try {
            EndpointAddress guarded = address.with(EndpointAccess.read(token, tls));
            String objection = guarded.objection();
            if (objection != null) {
                throw new ParameterException(command.commandLine(), objection);
            }
            return guarded;
        } catch (IOException e) {
            throw new ParameterException(command.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }
}
