package io.leapnbd.donor.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.TestPool;
import java.nio.channels.ClosedChannelException;
import java.time.Instant;
import java.util.List;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What an operator is told of alerts, as the JDK and BoringSSL name them, and of a certificate whose time has not come. */
class TlsProblemTest {

    @ParameterizedTest
    @CsvSource({
        "certificate_revoked, SSLV3_ALERT_CERTIFICATE_REVOKED, was taken out of the pool",
        "certificate_expired, SSLV3_ALERT_CERTIFICATE_EXPIRED, it has ended",
        "unknown_ca, TLSV1_ALERT_UNKNOWN_CA, is not of the other end's pool",
        "bad_certificate, SSLV3_ALERT_BAD_CERTIFICATE, has not begun by the other end's clock",
        "certificate_required, TLSV1_ALERT_CERTIFICATE_REQUIRED, there is none",
        "certificate_unknown, SSLV3_ALERT_CERTIFICATE_UNKNOWN, the other end's log says why"
    })
    void anAlertIsToldAlikeWhicheverLibraryHasReceivedIt(String java, String boring, String told) {
        String one = TlsProblem.sentence(
                new SSLHandshakeException("(" + java + ") Received fatal alert: " + java), Role.DONOR);
        String other = TlsProblem.sentence(
                new SSLHandshakeException("error:10000414:SSL routines:OPENSSL_internal:" + boring), Role.DONOR);
        assertThat(one).startsWith("refuses the certificate of this server: ").contains(told);
        assertThat(other).isEqualTo(one);
    }

    @Test
    void whoEndsTheConnectionInTheMiddleIsNotToldAsAClassOfJava() {
        assertThat(TlsProblem.sentence(new ClosedChannelException(), Role.SERVER))
                .isEqualTo("ended the connection in the middle of TLS's handshake");
    }

    /** As the libraries say it, at the end that got such bytes and at the one that is told so. */
    @ParameterizedTest
    @CsvSource({
        "not an SSL/TLS record: 00112233, does not use TLS; start that server with --pool",
        "Unsupported or unrecognized SSL message, does not use TLS; start that server with --pool",
        "error:1000042e:SSL routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION, does not use TLS 1.3;"
    })
    void bytesThatAreNoRecordAreNoAdviceToStartThePeerOtherwiseOnceItWasInTls(String problem, String before) {
        SSLException seen = new SSLException(problem);
        assertThat(TlsProblem.sentence(seen, Role.SERVER)).startsWith(before);
        assertThat(TlsProblem.laterSentence(seen, Role.SERVER))
                .isEqualTo("breaks TLS: bytes that are no record of it came in between");
    }

    @Test
    void whatElseEndsALinkIsToldAlikeBeforeAndLater() {
        for (String problem : List.of("SSLV3_ALERT_CERTIFICATE_EXPIRED", "BAD_RECORD_MAC", "DECODE_ERROR")) {
            SSLException seen = new SSLException(problem);
            assertThat(TlsProblem.laterSentence(seen, Role.DONOR)).isEqualTo(TlsProblem.sentence(seen, Role.DONOR));
        }
        AlteredFrameException altered = new AlteredFrameException();
        assertThat(TlsProblem.laterSentence(altered, Role.DONOR)).isEqualTo(TlsProblem.sentence(altered, Role.DONOR));
    }

    @Test
    void nobodyStartsWithACertificateThatHasNotBegun() throws Exception {
        TestPool pool = new TestPool();
        Instant from = Instant.parse("2126-11-28T09:08:07Z");
        PoolAuthority.Issued early = pool.issue(Role.SERVER, "web", from, from.plusSeconds(600));
        assertThatThrownBy(() -> LinkTls.server(pool.credentials(early)))
                .hasMessageContaining("has not begun: it begins at 2126-11-28 ")
                .hasMessageContaining(" UTC")
                .hasMessageContaining("compare the clocks");
    }

    @Test
    void norWithOneThatHasEnded() throws Exception {
        TestPool pool = new TestPool();
        Instant from = Instant.now().minusSeconds(600);
        PoolAuthority.Issued late = pool.issue(Role.SERVER, "web", from, from.plusSeconds(60));
        assertThatThrownBy(() -> LinkTls.server(pool.credentials(late)))
                .hasMessageStartingWith("the certificate of web has ended: it ended at 20")
                .hasMessageContaining(" UTC, and here it is ")
                .hasMessageContaining("pool add");
    }
}
