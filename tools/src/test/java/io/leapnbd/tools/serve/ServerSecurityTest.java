package io.leapnbd.tools.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.pool.LinkSecurity;
import io.leapnbd.tools.pool.PoolFolder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code status} and {@code doctor} say of a server has to be so. */
class ServerSecurityTest {

    private static final Path FOLDER = Path.of("/etc/leap-nbd/pool");

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            127.0.0.1 | false | false | plain: they do not leave this machine, and donors do not know who asks
            127.0.0.1 | false | true  | plain: they do not leave this machine, and donors do not know who asks
            10.0.0.2  | false | false | plain: whoever sees the network's packets sees pages, and donors do not know who asks
            10.0.0.2  | false | true  | plain: whoever sees the network's packets sees which pages are used, though not what is in them, and donors do not know who asks
            10.0.0.2  | true  | false | TLS 1.3 with donors of the pool
            10.0.0.2  | true  | true  | TLS 1.3 with donors of the pool
            """)
    void whatIsSaidToDonors(String donor, boolean pool, boolean encrypted, String said) {
        LinkSecurity security = new LinkSecurity(pool ? new PoolFolder(FOLDER) : null, !pool, encrypted);
        assertThat(ServerSecurity.links(DonorAddress.parseList(donor), security))
                .isEqualTo(new SecurityLine("donor links", pool, said));
    }

    @Test
    void whoMayReachTheDevice() {
        HostPort own = new HostPort("127.0.0.1", 10809);
        HostPort all = new HostPort("0.0.0.0", 10809);
        TlsChoice required = new TlsChoice(FOLDER, null, true);
        TlsChoice offered = new TlsChoice(FOLDER, null, false);
        assertThat(ServerSecurity.tcp(all, required))
                .isEqualTo(new SecurityLine(
                        "NBD tcp 0.0.0.0:10809", true, "TLS, and a client's certificate is asked for"));
        assertThat(ServerSecurity.tcp(own, TlsChoice.OFF))
                .isEqualTo(new SecurityLine(
                        "NBD tcp 127.0.0.1:10809",
                        false,
                        "no TLS: anybody on this machine may read and write the device; use --unix, --tls-certificates or"
                                + " --tls-psk"));
        assertThat(ServerSecurity.tcp(all, offered).detail())
                .isEqualTo("TLS is not asked for: whoever reaches this address may read and write the device; use --tls"
                        + " require, or --unix");
    }

    @Test
    void linksWithTagsSayWhatGoesInClear() {
        PoolFolder pool = new PoolFolder(Path.of("pool"), LinkProtection.AUTH);
        LinkSecurity auth = new LinkSecurity(pool, false, true);
        assertThat(ServerSecurity.links(DonorAddress.parseList("192.0.2.1"), auth)
                        .detail())
                .contains("--link-security auth", "headers go in clear");
        assertThat(ServerSecurity.links(DonorAddress.parseList("rdma://192.0.2.1"), auth)
                        .detail())
                .startsWith("TLS 1.3");
    }
}
