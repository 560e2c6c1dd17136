package io.leapnbd.donor.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a pool's certificates say, as the JDK reads it; the clients suite has openssl, GnuTLS and BoringSSL read them. */
class PoolAuthorityTest {

    private static final Instant NOW = Instant.parse("2026-11-27T12:00:00Z");

    private static PoolAuthority authority(Instant now, Duration life) throws Exception {
        PoolAuthority.Issued made = PoolAuthority.create("p", now, life);
        return new PoolAuthority(made.key(), made.certificate());
    }

    private static PoolAuthority.Issued issue(PoolAuthority by, Role role, Instant until) throws Exception {
        return by.issue(new PoolName("p", role, "h1"), List.of("h1.example", "10.0.0.2", "fe80::1"), NOW, until);
    }

    @Test
    void aCertificateNamesOneMachineAndOneRole() throws Exception {
        PoolAuthority authority = authority(NOW, Duration.ofDays(3650));
        for (Role role : Role.values()) {
            PoolAuthority.Issued made = issue(authority, role, NOW.plus(Duration.ofDays(730)));
            X509Certificate its = made.certificate();
            assertThat(PoolName.of(its)).isEqualTo(new PoolName("p", role, "h1"));
            assertThat(its.getNotAfter().toInstant()).isEqualTo(NOW.plus(Duration.ofDays(730)));
            assertThat(its.getBasicConstraints()).isNegative();
            assertThat(its.getKeyUsage()).startsWith(true, false, false, false, false, false);
            assertThat(its.getSubjectAlternativeNames()).hasSize(4);
            PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(authority.certificate(), null)));
            parameters.setRevocationEnabled(false);
            parameters.setDate(Date.from(NOW));
            CertPathValidator.getInstance("PKIX")
                    .validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(its)), parameters);
        }
    }

    @Test
    void whatADonorShowsIsNoClientsAndWhatAClientShowsIsNoServers() throws Exception {
        PoolAuthority authority = authority(NOW, Duration.ofDays(3650));
        String server = "1.3.6.1.5.5.7.3.1";
        String client = "1.3.6.1.5.5.7.3.2";
        Instant until = NOW.plus(Duration.ofDays(1));
        assertThat(issue(authority, Role.DONOR, until).certificate().getExtendedKeyUsage())
                .containsExactly(server);
        assertThat(issue(authority, Role.CLIENT, until).certificate().getExtendedKeyUsage())
                .containsExactly(client);
        assertThat(issue(authority, Role.SERVER, until).certificate().getExtendedKeyUsage())
                .containsExactly(server, client);
    }

    @Test
    void aKeyThatWasWrittenIsTheCertificates() throws Exception {
        PoolAuthority.Issued made = issue(authority(NOW, Duration.ofDays(1)), Role.DONOR, NOW);
        PrivateKey read = KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(made.base64())));
        Signature signature = Signature.getInstance("SHA256withECDSA");
        signature.initSign(read);
        byte[] signed = signature.sign();
        signature.initVerify(made.certificate().getPublicKey());
        assertThat(signature.verify(signed)).isTrue();
    }

    /** Times of 2050 and later have another form (RFC 5280, 4.1.2.5). */
    @Test
    void aMachinesCertificateEndsNoLaterThanTheAuthoritysWhateverTheYear() throws Exception {
        Instant late = Instant.parse("2049-06-01T00:00:00Z");
        PoolAuthority authority = authority(late, Duration.ofDays(3650));
        X509Certificate its =
                issue(authority, Role.SERVER, late.plus(Duration.ofDays(36500))).certificate();
        assertThat(its.getNotAfter()).isEqualTo(authority.certificate().getNotAfter());
        assertThat(its.getNotAfter().toInstant()).isEqualTo(late.plus(Duration.ofDays(3650)));
    }

    @Test
    void aMachineIsNoAuthority() throws Exception {
        PoolAuthority.Issued made = issue(authority(NOW, Duration.ofDays(1)), Role.SERVER, NOW);
        assertThatThrownBy(() -> new PoolAuthority(made.key(), made.certificate()))
                .hasMessageContaining("not that of an authority");
    }

    @Test
    void aCertificateOfSomethingElseNamesNobody() throws Exception {
        X509Certificate authority = authority(NOW, Duration.ofDays(1)).certificate();
        assertThatThrownBy(() -> PoolName.of(authority))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining("names no machine of a pool");
    }

    @Test
    void namesThatCouldMeanSomethingElseAreRefused() {
        for (String bad : List.of("", "A", "a b", "a/server/b", "..\n", "anonymous", "x".repeat(65))) {
            assertThatThrownBy(() -> new PoolName("p", Role.SERVER, bad)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new PoolName("p/q", Role.SERVER, "a")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aServersCertificateIsBelievedOfAServerAndOfNoDonor() throws Exception {
        PoolAuthority authority = authority(Instant.now(), Duration.ofDays(1));
        X509Certificate server = authority
                .issue(
                        new PoolName("p", Role.SERVER, "h1"),
                        List.of(),
                        Instant.now(),
                        Instant.now().plusSeconds(3600))
                .certificate();
        PoolTrust donors = new PoolTrust(List.of(authority.certificate()), its -> false, Role.SERVER);
        donors.checkClientTrusted(new X509Certificate[] {server}, "any");
        PoolTrust servers = new PoolTrust(List.of(authority.certificate()), its -> false, Role.DONOR);
        assertThatThrownBy(() -> servers.checkServerTrusted(new X509Certificate[] {server}, "any"))
                .hasMessageContaining("is that of a server (h1), and a donor's is needed");
    }
}
