package io.leapnbd.tools.http;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.tls.OtherHostException;
import io.leapnbd.nbd.tls.TlsFailure;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.OneLineErrors;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.NoRouteToHostException;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateExpiredException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Fetches pages of a server's endpoint, and has its actions done.
 *
 * @param address where it listens
 * @param token that is shown to it; null for none
 * @param tls what TLS is spoken with; null for HTTP without it
 * @param certificates the folder that this comes from; null if there is none
 * @param pid the process whose endpoint it is, if that is known to run here; else null
 */
public record EndpointClient(
        HostPort address,
        @Nullable BearerToken token,
        @Nullable SSLContext tls,
        @Nullable Path certificates,
        @Nullable Long pid) {

    private static final int TIMEOUT_MILLIS = 10_000;

    private static final Pattern LINE = Pattern.compile("[^\n\t]+");

    /** Of an answer, in bytes. */
    private static final int LONGEST = 16 << 20;

    /** For one that asks for nothing. */
    public EndpointClient(HostPort address) {
        this(address, null, null, null, null);
    }

    /** Its address as a URI. */
    public String uri() {
        return (tls == null ? "http://" : "https://") + address;
    }

    /**
     * Fetches a page.
     *
     * @param pathAndQuery like {@code /histograms?format=json}, encoded
     * @throws CommandFailure if nobody answers in time, or the answer is not 200
     */
    public String get(String pathAndQuery) {
        return ask("GET", pathAndQuery);
    }

    /**
     * Has an action done.
     *
     * @param pathAndQuery like {@code /settings?prefetch=leap}, encoded
     * @return what the server says about it
     * @throws CommandFailure if nobody answers in time
     * @throws RefusedException if the answer is neither 200 nor 401
     */
    public String put(String pathAndQuery) {
        return ask("PUT", pathAndQuery);
    }

    /** Whoever answers, a terminal that shows it obeys nothing of it. */
    private static String printable(String text) {
        return LINE.matcher(text).replaceAll(line -> Matcher.quoteReplacement(Printable.of(line.group())));
    }

    private String ask(String method, String pathAndQuery) {
        try {
            HttpURLConnection connection =
                    (HttpURLConnection) URI.create(uri() + pathAndQuery).toURL().openConnection(Proxy.NO_PROXY);
            if (tls != null) {
                ((HttpsURLConnection) connection).setSSLSocketFactory(tls.getSocketFactory());
            }
            if (token != null) {
                connection.setRequestProperty("Authorization", token.header());
            }
            connection.setInstanceFollowRedirects(false);
            connection.setRequestMethod(method);
            connection.setConnectTimeout(TIMEOUT_MILLIS);
            connection.setReadTimeout(TIMEOUT_MILLIS);
            int status = connection.getResponseCode();
            try (InputStream in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                String body = in == null ? "" : printable(new String(in.readNBytes(LONGEST), StandardCharsets.UTF_8));
                if (status == 401) {
                    throw new CommandFailure(
                            ExitCode.FAILED,
                            uri()
                                    + (token == null
                                            ? " asks for a token; name its file with --token-file"
                                            : " does not take " + token + "; name the file of its --http-token"));
                }
                if (status != 200) {
                    throw new RefusedException(
                            status,
                            status == 400 ? ExitCode.USAGE : ExitCode.FAILED,
                            (status == 403 && tls != null && pid != null
                                            ? "if the certificates of process " + pid
                                                    + " were renewed since it read them, say 'kill -HUP " + pid
                                                    + "' first; it says: "
                                            : "")
                                    + (body.isBlank() ? address + " answered with status " + status : body.strip()));
                }
                return body;
            }
        } catch (SSLException e) {
            throw new CommandFailure(ExitCode.FAILED, uri() + ": " + why(e), e);
        } catch (ConnectException | UnknownHostException | NoRouteToHostException | SocketTimeoutException e) {
            throw unreachable(e);
        } catch (IOException e) {
            if (tls == null) {
                throw new CommandFailure(
                        ExitCode.UNREACHABLE,
                        "what answers at " + uri() + " is not plain HTTP (" + OneLineErrors.describe(e)
                                + "); if it was started with --http-tls, give --tls-certificates FOLDER",
                        e);
            }
            // It may end the connection before the client has read why.
            throw new CommandFailure(
                    ExitCode.FAILED,
                    uri() + " has ended the connection (" + OneLineErrors.describe(e) + "); "
                            + (showsNone()
                                    ? "it may ask for a client's certificate" + hasNone()
                                    : "it may refuse the client's certificate"
                                            + (certificates == null ? "" : " in " + certificates)
                                            + ", and its log says why"),
                    e);
        }
    }

    private CommandFailure unreachable(IOException e) {
        return new CommandFailure(
                ExitCode.UNREACHABLE,
                "no server answers at " + uri() + " (" + OneLineErrors.describe(e)
                        + "); start one with 'leap-nbd serve', or name it with --http or --pid",
                e);
    }

    /** Why there is no TLS connection, and what to do. */
    private String why(SSLException e) {
        for (Throwable at = e; at != null; at = at.getCause()) {
            if (at instanceof OtherHostException other) {
                return "its certificate is for " + other.names() + ", and not for " + address.host()
                        + "; name one of these, or make it one that names this too: leap-nbd pool add POOL MACHINE "
                        + address.host();
            }
        }
        if (TlsFailure.refusesOurs(e)) {
            if (showsNone()) {
                return "it asks for a client's certificate" + hasNone();
            }
            return "it refuses the client's certificate"
                    + (certificates == null ? "" : " in " + certificates)
                    + " (" + OneLineErrors.describe(e) + "); its log says why. "
                    + (pid == null
                            ? "Give a folder with --tls-certificates whose client-cert.pem is of its CA, and neither ended nor revoked"
                            : remedyHere());
        }
        String chain = ofWhichAuthority(e);
        if (chain != null && pid == null) {
            return chain;
        }
        return "no TLS connection (" + OneLineErrors.describe(e) + "); "
                + (pid == null
                        ? "name the server as its certificate does, and certificates of its CA with --tls-certificates"
                        : remedyHere());
    }

    private boolean showsNone() {
        return pid == null && certificates != null && !Files.exists(certificates.resolve("client-cert.pem"));
    }

    private String hasNone() {
        return ", and " + certificates + " has no client-cert.pem; name a folder that has one with --tls-certificates";
    }

    /** What is to be said of a server's certificate that ended, or is of a CA that this end does not know; null of another reason. */
    private @Nullable String ofWhichAuthority(SSLException e) {
        String what = null;
        for (Throwable at = e; at != null; at = at.getCause()) {
            if (at instanceof CertificateExpiredException) {
                return "its certificate has ended; make that server a new one, or compare the clocks";
            }
            if (at instanceof CertPathValidatorException || at instanceof CertPathBuilderException) {
                what = certificates == null
                        ? "its certificate is of a CA that this machine does not know; name a folder with its ca-cert.pem"
                                + " with --tls-certificates"
                        : "its certificate is not of the CA in " + certificates.resolve("ca-cert.pem")
                                + "; name a folder with its CA's with --tls-certificates";
            }
        }
        return what;
    }

    private String remedyHere() {
        return "if its certificates have ended or are others by now, put good ones in their place and say 'kill -HUP "
                + pid + "'";
    }
}
