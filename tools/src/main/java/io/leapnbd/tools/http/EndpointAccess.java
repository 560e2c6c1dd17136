package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.ServerIdentity;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.config.Reload;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What an endpoint asks of who comes. Its files may be read again. Any thread. */
public final class EndpointAccess {

    /** Nothing: only for an address that nobody else reaches. */
    public static final EndpointAccess OPEN = new EndpointAccess(null, null, new Files(null, null));

    /** What the files held. */
    private record Files(
            @Nullable BearerToken token, @Nullable ServerIdentity identity) {}

    private final @Nullable Path token;
    private final @Nullable Path folder;
    private volatile Files files;
    private volatile Runnable afterwards = () -> {};

    private EndpointAccess(@Nullable Path token, @Nullable Path folder, Files files) {
        this.token = token;
        this.folder = folder;
        this.files = files;
    }

    /**
     * Reads what the files hold.
     *
     * @param token file of the token; null for none
     * @param folder of certificates, as {@code serve --tls-certificates} has it; null for no TLS
     * @throws IOException in one sentence, with the option, if they are not in order
     */
    static EndpointAccess read(@Nullable Path token, @Nullable Path folder) throws IOException {
        return new EndpointAccess(token, folder, files(token, folder));
    }

    private static Files files(@Nullable Path token, @Nullable Path folder) throws IOException {
        BearerToken secret;
        try {
            secret = token == null ? null : BearerToken.read(token);
        } catch (IOException e) {
            throw new IOException("--http-token: " + e.getMessage(), e);
        }
        try {
            return new Files(secret, folder == null ? null : new TlsFolder(folder).javaServer());
        } catch (IOException e) {
            throw new IOException("--http-tls: " + e.getMessage(), e);
        }
    }

    /**
     * Reads the files again. What was read counts for the next request, also on connections that are there.
     *
     * @throws IOException in one sentence, with the option; then nothing has changed
     */
    public Reload.Use reread() throws IOException {
        Files fresh = files(token, folder);
        String shown = folder == null ? "" : " (" + ShownCertificate.ofServerIn(folder) + ")";
        return new Reload.Use() {
            @Override
            public String use() {
                files = fresh;
                afterwards.run();
                return Stream.of(
                                folder == null ? "" : "certificates of --http-tls" + shown,
                                token == null ? "" : "token of --http-token")
                        .filter(one -> !one.isEmpty())
                        .collect(Collectors.joining(", "));
            }

            @Override
            public void discard() {
                // Nobody has it but the collector.
            }
        };
    }

    /** Has the files read again with others of a process, if there are any. */
    public void rereadBy(Reload reload) {
        if (guarded()) {
            reload.rereads(this::reread);
        }
    }

    /** Says what is done each time when other files are in use; it replaces what was said before. */
    void afterwards(Runnable task) {
        afterwards = task;
    }

    /** The token that each request has to show now; null for none. */
    @Nullable
    BearerToken token() {
        return files.token();
    }

    /** What it speaks TLS with now; null if it does not. */
    @Nullable
    ServerIdentity identity() {
        return files.identity();
    }

    /** The folder of the certificates; null without TLS. */
    @Nullable
    Path folder() {
        return folder;
    }

    /** Whether it speaks TLS. */
    boolean speaksTls() {
        return folder != null;
    }

    /** Whether it asks for anything. */
    boolean guarded() {
        return token != null || folder != null;
    }

    /** Whether clients have to show a certificate: those that show no token. */
    boolean asksForCertificates() {
        return folder != null && token == null;
    }

    /**
     * Why an address is not to be listened on with these; null if it may be.
     *
     * @param at what the host of {@code listen} is
     */
    @Nullable
    String objection(HostPort listen, InetAddress at) {
        return guarded() || at.isLoopbackAddress()
                ? null
                : "--http: " + listen
                        + " can be reached from other machines, and asks nobody who he is; give --http-token"
                        + " FILE or --http-tls FOLDER too, or listen on 127.0.0.1:" + listen.port();
    }

    /** What holds, for people. */
    String description(boolean loopback) {
        String who = token != null
                ? "a token is asked for"
                : folder != null
                        ? "a client's certificate is asked for"
                        : "anybody on this machine may look, and root and this user change things";
        return (loopback ? "loopback, " : "other machines reach it, ") + (folder != null ? "TLS, " : "no TLS, ") + who;
    }
}
