package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.TestPool;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.store.OwnerStatistics;
import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A donor of a pool serves servers of the pool, each its own exports, and nobody else. */
class AuthenticationTest {

    private TestPool pool;
    private LinkTls tls;
    private TestDonor donor;

    @BeforeEach
    void open() throws Exception {
        pool = new TestPool();
        tls = pool.donor("h1");
        donor = new TestDonor(4, settings -> settings, tls);
    }

    @AfterEach
    void close() {
        donor.close();
        tls.close();
    }

    private void restart(UnaryOperator<ServerSettings> change) throws IOException {
        donor.close();
        donor = new TestDonor(4, change, tls);
    }

    private RawLink link(PoolAuthority.@Nullable Issued shown) throws GeneralSecurityException, IOException {
        return new RawLink(TestPool.over(RawLink.connected(donor.address()), shown));
    }

    private RawLink claim(String identity, String export, long server) throws Exception {
        RawLink link = link(pool.issue(Role.SERVER, identity));
        RawLink.Reply seen = link.hello(Hellos.observe(export));
        assertThat(seen.status()).isEqualTo(Status.OK);
        RawLink.Reply reply = link.hello(Hellos.after(seen.helloReply(), export, server));
        assertThat(reply.status()).isEqualTo(Status.OK);
        link.server = server;
        return link;
    }

    @Test
    void aServerOfThePoolIsServedAndItsExportIsItsOwn() throws Exception {
        try (RawLink web = claim("web", "a", 1)) {
            assertThat(((SSLSocket) web.socket).getSession().getProtocol()).isEqualTo("TLSv1.3");
            int slab = web.grant(0);
            // Longer than a record, so that requests and replies come in parts.
            byte[] large = Pages.array(7, 300_000);
            assertThat(web.write(slab, 5, 1, large)).isEqualTo(Status.OK);
            assertThat(web.read(slab, 5, large.length)).isEqualTo(large);
            assertThat(donor.store.statistics().exports())
                    .extracting(ExportStatistics::identity)
                    .containsExactly(new Identity("web"));
        }
    }

    /** What two servers at one address hold is counted apart: a limit is an identity's, and not an address's. */
    @Test
    void whatAServerHoldsIsCountedByItsIdentity() throws Exception {
        try (RawLink web = claim("web", "a", 1);
                RawLink again = claim("web", "b", 1);
                RawLink mail = claim("mail", "c", 2)) {
            assertThat(web.grant(0)).isPositive();
            assertThat(again.grant(0)).isPositive();
            assertThat(mail.grant(0)).isPositive();
            assertThat(donor.store.statistics().owners())
                    .containsExactlyInAnyOrder(
                            new OwnerStatistics("web", 2, 2, -1), new OwnerStatistics("mail", 1, 1, -1));
            assertThat(web.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
    }

    @Test
    void anotherServerOfThePoolIsToldWhoseTheExportIsAndDisturbsNobody() throws Exception {
        try (RawLink web = claim("web", "a", 1)) {
            for (Hello hello : List.of(
                    Hellos.observe("a"),
                    Hello.join("a", 0, 1, Hellos.instance(1)),
                    Hellos.claim("a", 1, Hellos.CONTENT, 2))) {
                try (RawLink mail = link(pool.issue(Role.SERVER, "mail"))) {
                    RawLink.Reply refused = mail.hello(hello);
                    assertThat(refused.status()).isEqualTo(Status.OTHER_IDENTITY);
                    assertThat(new String(refused.payload(), StandardCharsets.UTF_8))
                            .isEqualTo("web");
                    assertThat(mail.endsWithoutAWord()).isTrue();
                }
            }
            assertThat(web.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
    }

    /** A stand-by has the same identity. */
    @Test
    void theSameIdentityTakesItsExportOverFromAnotherProcess() throws Exception {
        try (RawLink first = claim("web", "a", 1);
                RawLink second = claim("web", "a", 2)) {
            assertThat(first.receive().status()).isEqualTo(Status.FENCED);
            assertThat(first.endsInGoodOrder()).isTrue();
            assertThat(second.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
    }

    /** Keys of frames in clear are told once, before anything else, and inside of TLS only (PROTOCOL.md, section 12). */
    @Test
    void keysAreToldFirstAndInsideOfTlsOnly() throws Exception {
        try (RawLink web = link(pool.issue(Role.SERVER, "web"))) {
            assertThat(web.hello(Hellos.observe("a")).status()).isEqualTo(Status.OK);
            assertThat(web.ask(Operation.KEYS, 0, 0, 0, 0, new byte[FrameKeys.SHARE])
                            .status())
                    .isEqualTo(Status.BAD_REQUEST);
        }
        try (RawLink web = link(pool.issue(Role.SERVER, "web"))) {
            assertThat(web.ask(Operation.KEYS, 0, 0, 0, 0, new byte[FrameKeys.SHARE - 1])
                            .status())
                    .isEqualTo(Status.BAD_REQUEST);
        }
        try (TestDonor open = new TestDonor(4);
                RawLink plain = new RawLink(open.address())) {
            assertThat(plain.ask(Operation.KEYS, 0, 0, 0, 0, new byte[FrameKeys.SHARE])
                            .status())
                    .isEqualTo(Status.BAD_REQUEST);
        }
    }

    @Test
    void whoSaysMoreBehindItsKeysOverTlsIsCutOff() throws Exception {
        long before = donor.server.statistics().badRequests();
        try (RawLink web = link(pool.issue(Role.SERVER, "web"))) {
            byte[] keys = RawLink.frame(Operation.KEYS, 1, 0, 0, 0, 0, new byte[FrameKeys.SHARE]);
            byte[] twice = Arrays.copyOf(keys, 2 * keys.length);
            System.arraycopy(keys, 0, twice, keys.length, keys.length);
            // One record of TLS.
            web.send(twice);
            Await.until("the link is cut off", () -> donor.server.statistics().badRequests() > before);
        }
    }

    @Test
    void whoShowsNoCertificateIsRefused() throws Exception {
        assertRefused(null, "refuses the certificate of this server: there is none");
    }

    @Test
    void whoShowsACertificateOfAnotherPoolIsRefused() throws Exception {
        assertRefused(
                new TestPool().issue(Role.SERVER, "web"),
                "refuses the certificate of this server: it is not of the other end's pool");
    }

    @Test
    void whoShowsACertificateThatHasEndedIsRefused() throws Exception {
        Instant then = Instant.now().minus(Duration.ofDays(3));
        assertRefused(
                pool.issue(Role.SERVER, "web", then, then.plus(Duration.ofDays(1))),
                "refuses the certificate of this server: it has ended");
    }

    @Test
    void whoShowsACertificateThatHasNotBegunIsToldSo() throws Exception {
        Instant then = Instant.now().plus(Duration.ofHours(2));
        assertRefused(
                pool.issue(Role.SERVER, "web", then, then.plus(Duration.ofHours(1))),
                "refuses the certificate of this server: it has not begun by the other end's clock");
    }

    @Test
    void whoShowsADonorsOrAClientsCertificateIsRefused() throws Exception {
        String sentence = "refuses the certificate of this server: it has another role";
        assertRefused(pool.issue(Role.DONOR, "h2"), sentence);
        assertRefused(pool.issue(Role.CLIENT, "h2"), sentence);
    }

    /** In TLS 1.3 a client is told only after its own end of the handshake. */
    private void assertRefused(PoolAuthority.@Nullable Issued shown, String sentence) throws Exception {
        long before = donor.server.statistics().badRequests();
        try (RawLink link = link(shown)) {
            assertThatThrownBy(() -> link.hello(Hellos.observe("a")))
                    .isInstanceOf(SSLException.class)
                    .satisfies(refusal ->
                            assertThat(TlsProblem.sentence(refusal, Role.DONOR)).startsWith(sentence));
        }
        Await.until("the refusal is counted", () -> donor.server.statistics().badRequests() > before);
        assertThat(donor.store.statistics().hellos()).isZero();
    }

    @Test
    void aServerWithoutTlsIsToldSoInItsOwnLanguage() throws Exception {
        try (RawLink link = new RawLink(donor.address())) {
            RawLink.Reply reply = link.hello(Hellos.observe("a"));
            assertThat(reply.operation()).isEqualTo(Operation.HELLO);
            assertThat(reply.status()).isEqualTo(Status.UNAUTHENTICATED);
        }
        assertThat(donor.store.statistics().hellos()).isZero();
    }

    @Test
    void aDonorWithoutAPoolDoesNotAnswerTlsWithWhatLooksLikeTls() throws Exception {
        try (TestDonor plain = new TestDonor(1);
                RawLink link = new RawLink(plain.address())) {
            link.send(clientHello(300));
            RawLink.Reply reply = link.receive();
            assertThat(reply.status()).isEqualTo(Status.BAD_REQUEST);
            assertThat(TlsProblem.beginsTls(reply.operation(), reply.status())).isFalse();
        }
    }

    @Test
    void whoDoesNotEndTheHandshakeIsClosedAtTheHellosDeadline() throws Exception {
        restart(settings ->
                settings.withTimeouts(Duration.ofMillis(300), Duration.ofSeconds(60), Duration.ofMillis(100)));
        for (byte[] begun : new byte[][] {{}, {22, 3, 1, 2, 0, 1, 0}, clientHello(100)}) {
            try (RawLink link = new RawLink(donor.address())) {
                link.send(begun);
                boolean _ = link.drainsInGoodOrder();
            }
        }
        Await.until("all are closed", () -> donor.server.statistics().openLinks() == 0);
    }

    /** A FIN would tell the server that this process has ended. */
    @Test
    void aRecordThatWasChangedOnTheWayEndsTheLinkByAReset() throws Exception {
        try (Socket below = RawLink.connected(donor.address());
                RawLink web = new RawLink(TestPool.over(below, pool.issue(Role.SERVER, "web")))) {
            RawLink.Reply seen = web.hello(Hellos.observe("a"));
            assertThat(web.hello(Hellos.after(seen.helloReply(), "a", 1)).status())
                    .isEqualTo(Status.OK);
            byte[] record = new byte[5 + 64];
            record[0] = 23;
            record[1] = 3;
            record[2] = 3;
            record[4] = 64;
            RawLink raw = new RawLink(below);
            raw.send(record);
            // The alert; the donor fails at whatever comes next.
            assertThat(below.getInputStream().read()).isEqualTo(23);
            raw.send(record);
            assertThat(raw.drainsInGoodOrder()).isFalse();
        }
        assertThat(donor.store.statistics().exports()).hasSize(1);
    }

    /** Memory before anybody is known: 128 handshakes, of which the oldest makes room for the next. */
    @Test
    void aFloodOfHalfHandshakesKeepsNobodyOut() throws Exception {
        // Only the flood itself ends them.
        restart(settings ->
                settings.withTimeouts(Duration.ofMinutes(10), Duration.ofMinutes(10), Duration.ofMillis(100)));
        int flood = 3 * Listener.MOST_HANDSHAKES;
        List<RawLink> half = new ArrayList<>();
        try {
            for (int i = 0; i < flood; i++) {
                RawLink link = new RawLink(donor.address());
                link.send(clientHello(200));
                half.add(link);
            }
            Await.until("all have come", () -> donor.server.statistics().accepted() >= flood);
            Await.until(
                    "the oldest have made room",
                    () -> donor.server.statistics().openLinks() <= Listener.MOST_HANDSHAKES);
            try (RawLink web = claim("web", "a", 1)) {
                assertThat(web.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
            }
        } finally {
            for (RawLink link : half) {
                link.close();
            }
        }
    }

    /** The beginning of a handshake message that announces 60,000 bytes and has so many. */
    private static byte[] clientHello(int bytes) {
        byte[] record = new byte[5 + bytes];
        record[0] = 22;
        record[1] = 3;
        record[2] = 1;
        record[3] = (byte) (bytes >> 8);
        record[4] = (byte) bytes;
        record[5] = 1;
        record[7] = (byte) (60_000 >> 8);
        record[8] = (byte) 60_000;
        return record;
    }

    /** Who has a ticket of an earlier connection, and its secret, came in without key and certificate. */
    @Test
    void everyConnectionShowsItsCertificateAnew() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        SSLContext one = TestPool.client(pool.issue(Role.SERVER, "web"), asked);
        for (int connection = 1; connection <= 3; connection++) {
            Socket plain = RawLink.connected(donor.address());
            try (RawLink link =
                    new RawLink(one.getSocketFactory().createSocket(plain, "localhost", plain.getPort(), true))) {
                // Tickets come behind the handshake, with the first reply.
                assertThat(link.hello(Hellos.observe("a")).status()).isEqualTo(Status.OK);
                assertThat(asked).hasValue(connection);
            }
        }
    }

    /** While a certificate is looked at, what arrives is kept: it has a bound. */
    @Test
    void aPeerThatIsNotKnownMayNotSendMoreThanAHandshakeTakes() throws Exception {
        try (Socket stranger = RawLink.connected(donor.address())) {
            stranger.setSoTimeout(60_000);
            // A record whose length says 16 KiB, again and again; no handshake is ever whole.
            byte[] record = new byte[5 + (16 << 10)];
            record[0] = 22;
            record[1] = 3;
            record[2] = 3;
            record[3] = 64;
            record[5] = 1;
            record[6] = 1;
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 1024; i++) {
                            stranger.getOutputStream().write(record);
                        }
                        if (stranger.getInputStream().read() < 0) {
                            throw new IOException("ended");
                        }
                    })
                    .isInstanceOf(IOException.class);
        }
        Await.until("its link is gone", () -> donor.server.statistics().openLinks() == 0);
    }
}
