package io.leapnbd.nbd.tls;

import io.leapnbd.nbd.Printable;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.Locale;

/** Why TLS with a peer fails, in words for an operator, whichever library has found it out. */
public final class TlsFailure {

    /** Its number in TLS's sequence is part of what protects it. So one that is missing, or there twice, looks the same. */
    private static final String CHANGED = "a record was changed on the way, is missing, or came twice";

    /** Parts of what BoringSSL and the JDK say, and what that means of a client. RFC 8446, section 6.2 has the alerts. */
    private static final String[][] OF_CLIENTS = {
        {"PEER_DID_NOT_RETURN_A_CERTIFICATE", "it showed no certificate"},
        {"EMPTY CLIENT CERTIFICATE CHAIN", "it showed no certificate"},
        {"ALERT_UNKNOWN_CA", "it refuses this server's certificate, which is not of its authority"},
        {"ALERT_CERTIFICATE_EXPIRED", "it refuses this server's certificate, which has ended by its clock"},
        {"ALERT_BAD_CERTIFICATE", "it refuses this server's certificate, or the name that it was given is not in that"},
        {
            "ALERT_CERTIFICATE_UNKNOWN",
            "it refuses this server's certificate, or the name that it was given is not in that"
        },
        {"BAD_DECRYPT", CHANGED},
        {"BAD_RECORD_MAC", CHANGED},
        {"HTTP_REQUEST", "it speaks HTTP without TLS"},
        {"WRONG_VERSION_NUMBER", "it does not speak TLS"},
    };

    private TlsFailure() {}

    /** What is wrong with a peer's certificate, in words that follow the peer. */
    static String ofCertificate(X509Certificate shown, CertificateException why) {
        String name = "its certificate ("
                + Printable.of(shown.getSubjectX500Principal().getName()) + ") ";
        if (why instanceof ClientTrust.Refusal) {
            return name + why.getMessage();
        }
        try {
            shown.checkValidity();
        } catch (CertificateExpiredException e) {
            return name + "has ended at " + shown.getNotAfter().toInstant();
        } catch (CertificateNotYetValidException e) {
            return name + "has not begun: it begins at " + shown.getNotBefore().toInstant() + "; compare the clocks";
        }
        return name + "is not of the authority that is believed here, or not a client's";
    }

    /** Whether the other end of TLS has said that it refuses the certificate that was shown to it, or that none was. */
    public static boolean refusesOurs(Throwable problem) {
        for (Throwable at = problem; at != null; at = at.getCause()) {
            String said = String.valueOf(at.getMessage()).toUpperCase(Locale.ROOT);
            if (said.contains("RECEIVED FATAL ALERT")
                    && (said.contains("CERTIFICATE") || said.contains("UNKNOWN_CA"))) {
                return true;
            }
        }
        return false;
    }

    /** Why a client is refused, or refuses: what is wrong with it, in words that follow its name and a colon. */
    public static String ofClient(Throwable problem) {
        StringBuilder all = new StringBuilder();
        for (Throwable at = problem; at != null; at = at.getCause()) {
            if (at instanceof ClientTrust.Refusal refusal) {
                return "its certificate " + refusal.getMessage();
            }
            all.append(at.getMessage()).append('\n');
        }
        String said = all.toString().toUpperCase(Locale.ROOT);
        for (String[] one : OF_CLIENTS) {
            if (said.contains(one[0])) {
                return one[1];
            }
        }
        return "its TLS fails: " + problem.getMessage();
    }
}
