package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * What an endpoint asks of who comes.
 *
 * @param token that each request has to show; null for none
 * @param tls what it speaks TLS with; null if it does not
 * @param folder of the certificates; null without TLS
 */
public record EndpointAccess(
        @Nullable BearerToken token,
        @Nullable SSLContext tls,
        @Nullable Path folder) {

    /** Neither: only for an address that nobody else reaches. */
    public static final EndpointAccess OPEN = new EndpointAccess(null, null, null);

    /**
     * Reads what the files hold.
     *
     * @param token file of the token; null for none
     * @param folder of certificates, as {@code serve --tls-certificates} has it; null for no TLS
     * @throws IOException in one sentence, with the option, if they are not in order
     */
    static EndpointAccess read(@Nullable Path token, @Nullable Path folder) throws IOException {
        BearerToken secret = null;
        if (token != null) {
            try {
                secret = BearerToken.read(token);
            } catch (IOException e) {
                throw new IOException("--http-token: " + e.getMessage(), e);
            }
        }
        if (folder == null) {
            return new EndpointAccess(secret, null, null);
        }
        try {
            return new EndpointAccess(secret, new TlsFolder(folder).javaServer(), folder);
        } catch (IOException e) {
            throw new IOException("--http-tls: " + e.getMessage(), e);
        }
    }

    /** Whether it asks for anything. */
    boolean guarded() {
        return token != null || tls != null;
    }

    /** Whether clients have to show a certificate: those that show no token. */
    boolean asksForCertificates() {
        return tls != null && token == null;
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
                : tls != null ? "a client's certificate is asked for" : "anybody on this machine may look and change";
        return (loopback ? "loopback, " : "other machines reach it, ") + (tls != null ? "TLS, " : "no TLS, ") + who;
    }
}
