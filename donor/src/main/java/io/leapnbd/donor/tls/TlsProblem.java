package io.leapnbd.donor.tls;

import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.OpenSslCertificateException;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Why TLS with a peer fails, in words for an operator that follow the peer's name: which end has refused whom, and what to do. */
public final class TlsProblem {

    /**
     * Parts of what BoringSSL and the JDK say of an alert, which is all that a peer tells of why it refuses. RFC 8446, section 6.2; what
     * {@code PoolTrust} has them sent for.
     */
    private static final List<String[]> ALERTS = List.of(
            new String[] {"UNKNOWN_CA", "it is not of the other end's pool; both need folders of one pool"},
            new String[] {"CERTIFICATE_EXPIRED", "it has ended; make a new one with 'leap-nbd pool add'"},
            new String[] {"UNSUPPORTED_CERTIFICATE", "it has another role; use the files that 'leap-nbd pool add' made"
            },
            new String[] {"CERTIFICATE_REQUIRED", "there is none; start this end with --pool"},
            new String[] {
                "CERTIFICATE_REVOKED",
                "this machine was taken out of the pool ('leap-nbd pool revoke'); make it a new one with 'leap-nbd pool add'"
            },
            new String[] {
                "BAD_CERTIFICATE",
                "it has not begun by the other end's clock, or is damaged; compare the clocks of both"
            },
            new String[] {"CERTIFICATE_UNKNOWN", "it cannot be used; the other end's log says why"});

    /** What is said of bytes that are none of TLS. */
    private static final List<String> NOT_TLS = List.of(
            "WRONG_VERSION_NUMBER",
            "HTTP_REQUEST",
            "UNRECOGNIZED SSL MESSAGE",
            "RECORD VERSION",
            "NOT AN SSL/TLS RECORD");

    private TlsProblem() {}

    /** Why the peer, which has a role, cannot be talked to. */
    public static String sentence(Throwable problem, Role peer) {
        String own = ourRefusal(problem);
        if (own != null) {
            return "is refused: its certificate " + own;
        }
        if (problem instanceof AlteredFrameException) {
            return "breaks the link: " + problem.getMessage();
        }
        if (isNotTls(problem)) {
            return notTls(peer);
        }
        String said = all(problem);
        if (said.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE")) {
            return "is refused: it shows no certificate; start it with --pool";
        }
        if (said.contains("ALERT") || said.contains("CERTIFICATE_REQUIRED")) {
            for (String[] alert : ALERTS) {
                if (said.contains(alert[0])) {
                    return "refuses the certificate of this " + own(peer) + ": " + alert[1];
                }
            }
        }
        if (isOtherVersion(said)) {
            return "does not use TLS 1.3; run the same version of leap-nbd at both ends";
        }
        if (has(problem, SslHandshakeTimeoutException.class)) {
            return "took too long for the TLS handshake";
        }
        if (has(problem, ClosedChannelException.class)) {
            return "ended the connection in the middle of TLS's handshake";
        }
        if (said.contains("BAD_DECRYPT") || said.contains("BAD_RECORD_MAC") || said.contains("TAG MISMATCH")) {
            return "breaks TLS: a record was changed on the way";
        }
        return "breaks TLS: " + message(problem);
    }

    /**
     * Why a link ends whose peer, which has a role, was in TLS already. What is no record of it then was put in on the way, or the peer says
     * that it had such bytes: to start the peer otherwise would not help.
     */
    public static String laterSentence(Throwable problem, Role peer) {
        boolean known = ourRefusal(problem) != null || problem instanceof AlteredFrameException;
        if (!known && (isNotTls(problem) || isOtherVersion(all(problem)))) {
            return "breaks TLS: bytes that are no record of it came in between";
        }
        return sentence(problem, peer);
    }

    /** That the peer, which has a role, answers in another language. */
    public static String notTls(Role peer) {
        return "does not use TLS; start that " + peer.label() + " with --pool";
    }

    /** Whether these are the first two bytes of whoever speaks TLS: the kind of a record, and 3 (RFC 8446, section 5.1). */
    public static boolean beginsTls(int kind, int version) {
        return kind >= 20 && kind <= 23 && version == 3;
    }

    /** Whether it is one of TLS at all, thrown as it is or by a decoder. */
    public static boolean isOne(Throwable problem) {
        return problem instanceof SSLException || problem.getCause() instanceof SSLException;
    }

    /** Whether the peer's first bytes are none of TLS. */
    public static boolean isNotTls(Throwable problem) {
        String said = all(problem);
        return has(problem, NotSslRecordException.class) || NOT_TLS.stream().anyMatch(said::contains);
    }

    private static boolean isOtherVersion(String said) {
        return said.contains("PROTOCOL_VERSION") || said.contains("UNSUPPORTED_PROTOCOL");
    }

    private static String own(Role peer) {
        return (peer == Role.DONOR ? Role.SERVER : Role.DONOR).label();
    }

    private static @Nullable String ourRefusal(Throwable problem) {
        for (Throwable at = problem; at != null; at = at.getCause()) {
            if (at instanceof OpenSslCertificateException) {
                return at.getMessage();
            }
        }
        return null;
    }

    private static boolean has(Throwable problem, Class<? extends Throwable> kind) {
        for (Throwable at = problem; at != null; at = at.getCause()) {
            if (kind.isInstance(at)) {
                return true;
            }
        }
        return false;
    }

    private static String all(Throwable problem) {
        StringBuilder said = new StringBuilder();
        for (Throwable at = problem; at != null; at = at.getCause()) {
            said.append(at.getMessage()).append('\n');
        }
        return said.toString().toUpperCase(Locale.ROOT);
    }

    private static String message(Throwable problem) {
        Throwable deepest = problem;
        while (deepest.getCause() != null) {
            deepest = deepest.getCause();
        }
        String said = deepest.getMessage();
        return said == null ? deepest.getClass().getSimpleName() : said;
    }
}
