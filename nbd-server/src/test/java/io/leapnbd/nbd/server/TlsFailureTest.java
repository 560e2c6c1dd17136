package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.tls.TlsFailure;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the log says of clients whose handshake fails, instead of what the libraries say. */
class TlsFailureTest {

    @ParameterizedTest
    @CsvSource({
        "error:100000c0:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE, it showed no certificate",
        "Empty client certificate chain, it showed no certificate",
        "error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST, it speaks HTTP without TLS",
        "something new, its TLS fails: something new"
    })
    void a_failure_is_told_in_plain_words(String said, String told) {
        assertThat(TlsFailure.ofClient(new SSLHandshakeException(said))).isEqualTo(told);
    }
}
