package io.leapnbd.tools.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsExchange;
import io.leapnbd.nbd.tls.ServerIdentity;
import io.leapnbd.tools.linux.PeerUser;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * Who may look, and who may change something. Any thread.
 *
 * <p>With a token, whoever shows it may do both, from wherever he comes, and nobody else anything. With TLS alone, whoever has shown a
 * certificate may look, as long as it is believed. Otherwise the endpoint is on loopback, and who asks by a name of this machine may look. Without a token things are changed
 * from this machine only: through loopback by root or this process's user, or by who has shown a certificate; or with the endpoint's own certificate.
 *
 * <p>A web page that is open in a browser here may ask for pages of loopback too. It gives itself away: it may not send PUT to
 * another origin without naming its own, a name that was made to resolve to this machine is in the header {@code Host}, and it knows no
 * token. The endpoint's own page has the endpoint's origin.
 *
 * @param access what the endpoint asks for
 */
record AccessRules(EndpointAccess access) {

    private static final String OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

    /** What a Host header of this machine's own may be. */
    private static final Pattern LOCAL =
            Pattern.compile("(localhost|127(\\." + OCTET + "){3}|\\[::1])(:\\d{1,5})?", Pattern.CASE_INSENSITIVE);

    /** Why a request is refused; null if it is not. */
    @Nullable
    Answer refusal(HttpExchange exchange, boolean changes) {
        BearerToken token = access.token();
        if (token != null) {
            List<String> shown = values(exchange.getRequestHeaders(), "Authorization");
            if (shown.size() != 1 || !token.isIn(shown.getFirst())) {
                exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer realm=\"leap-nbd\"");
                return Answer.line(
                        401,
                        "a token is asked for: show it as 'Authorization: Bearer TOKEN'; leap-nbd takes its file as --token-file");
            }
            return changes && fromOtherPage(exchange) ? notFromHere() : null;
        }
        if (changes) {
            boolean local = fromThisMachine(exchange) && isLocal(exchange);
            if (fromOtherPage(exchange) || (!local && !showsOwnCertificate(exchange))) {
                return notFromHere();
            }
            return access.asksForCertificates() || isTrusted(exchange)
                    ? null
                    : Answer.line(
                            403,
                            "without a token (--http-token) only root, and the user whose process this is, change"
                                    + " things");
        }
        return refusalOfFile(exchange);
    }

    /** Why a file of the page for browsers is not shown; null if it is. A browser shows no token for it, and there is nothing secret in it. */
    @Nullable
    Answer refusalOfFile(HttpExchange exchange) {
        return access.guarded() || isLocal(exchange)
                ? null
                : Answer.line(403, "ask for it by the name localhost or the address 127.0.0.1");
    }

    /**
     * Why a connection is refused whose certificate was believed when it began; null if it still is, or none is asked for. It may have ended since, or the files were
     * read again.
     */
    @Nullable
    Answer refusalOfCertificate(HttpExchange exchange) {
        ServerIdentity identity = access.identity();
        if (identity == null || !access.asksForCertificates()) {
            return null;
        }
        try {
            identity.check(shown(exchange));
            return null;
        } catch (SSLPeerUnverifiedException | CertificateException e) {
            // It is told below.
        }
        exchange.getResponseHeaders().set("Connection", "close");
        return Answer.line(403, "the certificate of this connection is not believed any more; show another one");
    }

    private static X509Certificate[] shown(HttpExchange exchange) throws SSLPeerUnverifiedException {
        if (exchange instanceof HttpsExchange secured) {
            return Stream.of(secured.getSSLSession().getPeerCertificates())
                    .map(X509Certificate.class::cast)
                    .toArray(X509Certificate[]::new);
        }
        throw new SSLPeerUnverifiedException("there is no TLS");
    }

    /** Whether who asks has the endpoint's own key, which is on this machine only. No browser has it. */
    private boolean showsOwnCertificate(HttpExchange exchange) {
        ServerIdentity identity = access.identity();
        try {
            return identity != null && access.asksForCertificates() && identity.isOwn(shown(exchange)[0]);
        } catch (SSLPeerUnverifiedException e) {
            return false;
        }
    }

    private static Answer notFromHere() {
        return Answer.line(
                403,
                "things are changed from this machine only, by 'leap-nbd set' or 'leap-nbd drain', or with a token"
                        + " (--http-token)");
    }

    private static boolean fromThisMachine(HttpExchange exchange) {
        return exchange.getRemoteAddress().getAddress().isLoopbackAddress();
    }

    /** Who changes things has the pages moved where he likes. */
    private static boolean isTrusted(HttpExchange exchange) {
        return PeerUser.isTrusted(exchange.getRemoteAddress(), exchange.getLocalAddress());
    }

    /** Whether a web page asks that did not come from this endpoint itself. */
    private boolean fromOtherPage(HttpExchange exchange) {
        List<String> origins = values(exchange.getRequestHeaders(), "Origin");
        List<String> hosts = values(exchange.getRequestHeaders(), "Host");
        String scheme = access.speaksTls() ? "https://" : "http://";
        return !origins.isEmpty()
                && !(origins.size() == 1
                        && hosts.size() == 1
                        && origins.getFirst().equalsIgnoreCase(scheme + hosts.getFirst()));
    }

    /** Whether it is asked for by a name of this machine, in the one header and nowhere else. */
    private static boolean isLocal(HttpExchange exchange) {
        List<String> hosts = values(exchange.getRequestHeaders(), "Host");
        String target = exchange.getRequestURI().getRawAuthority();
        return hosts.size() == 1
                && LOCAL.matcher(hosts.getFirst()).matches()
                && (target == null || LOCAL.matcher(target).matches());
    }

    private static List<String> values(Headers headers, String name) {
        List<String> all = headers.get(name);
        return all == null ? List.of() : all;
    }
}
