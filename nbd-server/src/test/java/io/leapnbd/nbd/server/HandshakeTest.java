package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.testing.RawClient.contextData;
import static io.leapnbd.nbd.testing.RawClient.goData;
import static io.leapnbd.nbd.testing.RawClient.optionBytes;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.RawClient.OptionReply;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandshakeTest {

    private static final int SIZE = 1 << 20;

    private final TestServer server = TestServer.start(
            1,
            context ->
                    context.export("first", new MemoryDevice(SIZE)).export("second", new MemoryDevice(2 * SIZE, true)));
    private RawClient client;

    @BeforeEach
    void connect() throws IOException {
        client = server.raw();
    }

    @AfterEach
    void theServerServesOn() throws IOException {
        client.close();
        try (server;
                NbdClient other = server.client()) {
            other.read(0, ByteBuffer.allocate(4096));
        }
    }

    private OptionReply ask(int option, byte... data) throws IOException {
        return client.option(option, data).lastOptionReply();
    }

    private void expect(OptionReply reply, int option, int type) {
        assertThat(reply.option()).isEqualTo(option);
        assertThat(Integer.toHexString(reply.type())).isEqualTo(Integer.toHexString(type));
    }

    private void expectInStep() throws IOException {
        expect(ask(OPT_GO, goData("first")), OPT_GO, REP_ACK);
        client.request(Command.READ, 0, 1, 0, 512);
        assertThat(client.reply(512).data()).hasSizeGreaterThanOrEqualTo(512);
    }

    private List<byte[]> informations(int option, byte[] data) throws IOException {
        client.option(option, data);
        List<byte[]> all = new ArrayList<>();
        OptionReply reply = client.optionReply();
        while (reply.type() == REP_INFO) {
            all.add(reply.data());
            reply = client.optionReply();
        }
        expect(reply, option, REP_ACK);
        return all;
    }

    @Test
    void greetsAsFixedNewstyleThatCanLeaveOutZeroes() throws IOException {
        assertThat(client.greeting()).isEqualTo(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
    }

    @ParameterizedTest
    @ValueSource(ints = {1 << 2, 1 << 16, 1 << 31, -1})
    void dropsAClientWithFlagsThatWereNotOffered(int flags) throws IOException {
        client.greeting();
        client.clientFlags(flags);
        assertThat(client.closedByServer()).isTrue();
    }

    @Test
    void dropsAClientWhoseOptionDoesNotStartWithTheMagicNumber() throws IOException {
        client.greet().bytes(new byte[OPTION_HEADER_SIZE]);
        assertThat(client.closedByServer()).isTrue();
    }

    @Test
    void dropsAClientThatAnnouncesMoreOptionDataThanAnyOptionHas() throws IOException {
        client.greet()
                .bytes(ByteBuffer.allocate(16)
                        .putLong(OPTION_MAGIC)
                        .putInt(99)
                        .putInt(-1)
                        .array());
        assertThat(client.closedByServer()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 4, 9999, -1})
    void refusesAnUnknownOptionAndSkipsItsData(int option) throws IOException {
        client.greet();
        expect(ask(option, new byte[1000]), option, REP_ERR_UNSUP);
        expect(ask(option), option, REP_ERR_UNSUP);
        expectInStep();
    }

    @ParameterizedTest
    @ValueSource(ints = {OPT_LIST, OPT_STRUCTURED_REPLY, OPT_STARTTLS})
    void refusesDataWithAnOptionThatHasNone(int option) throws IOException {
        client.greet();
        expect(ask(option, (byte) 1, (byte) 2), option, REP_ERR_INVALID);
        expectInStep();
    }

    @Test
    void refusesTlsByPolicy() throws IOException {
        client.greet();
        expect(ask(OPT_STARTTLS), OPT_STARTTLS, REP_ERR_POLICY);
        expectInStep();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 5})
    void acknowledgesAbortWithOrWithoutDataAndCloses(int data) throws IOException {
        client.greet();
        expect(ask(OPT_ABORT, new byte[data]), OPT_ABORT, REP_ACK);
        assertThat(client.closedByServer()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {OPT_INFO, OPT_GO})
    void refusesInformationRequestsThatDoNotAddUp(int option) throws IOException {
        client.greet();
        byte[] nameTooLong = goData("first");
        nameTooLong[3] = 100;
        expect(ask(option, nameTooLong), option, REP_ERR_INVALID);
        byte[] nameHuge = goData("first");
        nameHuge[0] = (byte) 0xff;
        expect(ask(option, nameHuge), option, REP_ERR_INVALID);
        byte[] moreRequestsThanData = goData("first");
        moreRequestsThanData[moreRequestsThanData.length - 1] = 7;
        expect(ask(option, moreRequestsThanData), option, REP_ERR_INVALID);
        byte[] dataLeftOver = new byte[goData("first").length + 3];
        System.arraycopy(goData("first"), 0, dataLeftOver, 0, goData("first").length);
        expect(ask(option, dataLeftOver), option, REP_ERR_INVALID);
        expect(ask(option), option, REP_ERR_INVALID);
        expect(ask(option, goData("x".repeat(MAX_STRING + 1))), option, REP_ERR_INVALID);
        expect(ask(option, goData("fir\0st")), option, REP_ERR_INVALID);
        expect(ask(option, new byte[] {0, 0, 0, 1, (byte) 0xff, 0, 0}), option, REP_ERR_INVALID);
        expectInStep();
    }

    @ParameterizedTest
    @ValueSource(ints = {OPT_INFO, OPT_GO})
    void doesNotKnowAnExportThatIsNotThere(int option) throws IOException {
        client.greet();
        expect(ask(option, goData("third")), option, REP_ERR_UNKNOWN);
        expectInStep();
    }

    @ParameterizedTest
    @ValueSource(ints = {OPT_INFO, OPT_GO})
    void informsOfSizeFlagsBlockSizesNameAndDescription(int option) throws IOException {
        client.greet();
        List<byte[]> all = informations(option, goData("", 77, INFO_DESCRIPTION, INFO_NAME, INFO_BLOCK_SIZE));
        int flags = Transmission.HAS_FLAGS
                | Transmission.SEND_FLUSH
                | Transmission.SEND_FUA
                | Transmission.SEND_TRIM
                | Transmission.SEND_WRITE_ZEROES
                | Transmission.CAN_MULTI_CONN
                | Transmission.SEND_CACHE
                | Transmission.SEND_FAST_ZERO;
        ByteBuffer export =
                ByteBuffer.allocate(12).putShort((short) INFO_EXPORT).putLong(SIZE);
        ByteBuffer blocks = ByteBuffer.allocate(14).putShort((short) INFO_BLOCK_SIZE);
        assertThat(all)
                .containsExactlyInAnyOrder(
                        export.putShort((short) flags).array(),
                        blocks.putInt(1).putInt(4096).putInt(32 << 20).array(),
                        "\0\1first".getBytes(UTF_8),
                        "\0\2memory of a test".getBytes(UTF_8));
    }

    @Test
    void offersDfWithStructuredRepliesOnly() throws IOException {
        client.greet();
        expect(ask(OPT_STRUCTURED_REPLY), OPT_STRUCTURED_REPLY, REP_ACK);
        byte[] export = informations(OPT_INFO, goData("first")).getFirst();
        assertThat(ByteBuffer.wrap(export).getShort(10) & Transmission.SEND_DF).isNotZero();
    }

    @Test
    void tellsThatAReadOnlyExportIsReadOnly() throws IOException {
        client.greet();
        byte[] export = informations(OPT_INFO, goData("second")).getFirst();
        int flags = ByteBuffer.wrap(export).getShort(10);
        assertThat(flags & Transmission.READ_ONLY).isNotZero();
        assertThat(flags & (Transmission.SEND_TRIM | Transmission.SEND_WRITE_ZEROES))
                .isZero();
    }

    @Test
    void listsAllExports() throws IOException {
        client.greet().option(OPT_LIST);
        List<String> names = new ArrayList<>();
        OptionReply reply = client.optionReply();
        while (reply.type() == REP_SERVER) {
            names.add(reply.text());
            reply = client.optionReply();
        }
        expect(reply, OPT_LIST, REP_ACK);
        assertThat(names).containsExactly("\0\0\0\5firstmemory of a test", "\0\0\0\6secondmemory of a test");
        expectInStep();
    }

    @Test
    void opensByNameWithPaddingForAClientThatDoesNotLeaveItOut() throws IOException {
        client.greeting();
        client.clientFlags(FLAG_FIXED_NEWSTYLE).option(OPT_EXPORT_NAME);
        ByteBuffer reply = ByteBuffer.wrap(client.read(10 + EXPORT_NAME_PADDING));
        assertThat(reply.getLong()).isEqualTo(SIZE);
        client.request(Command.READ, 0, 1, 0, 512);
        assertThat(client.reply(512).data()).hasSize(512);
    }

    @Test
    void opensByNameForAClientThatIsNotFixedNewstyle() throws IOException {
        client.greeting();
        client.clientFlags(FLAG_NO_ZEROES).option(OPT_EXPORT_NAME, "second".getBytes(UTF_8));
        assertThat(ByteBuffer.wrap(client.read(10)).getLong()).isEqualTo(2 * SIZE);
        client.request(Command.READ, 0, 1, 0, 512);
        assertThat(client.reply(512).data()).hasSize(512);
    }

    @ParameterizedTest
    @ValueSource(ints = {5, MAX_STRING, MAX_STRING + 1})
    void closesWhenAnExportOpenedByNameIsNotThere(int length) throws IOException {
        client.greet().option(OPT_EXPORT_NAME, new byte[length]);
        assertThat(client.closedByServer()).isTrue();
    }

    @Test
    void wantsStructuredRepliesBeforeAContextIsSet() throws IOException {
        client.greet();
        byte[] data = contextData("first", BASE_ALLOCATION);
        expect(ask(OPT_SET_META_CONTEXT, data), OPT_SET_META_CONTEXT, REP_ERR_INVALID);
        expectInStep();
    }

    private List<String> contexts(int option, byte[] data) throws IOException {
        client.option(option, data);
        List<String> all = new ArrayList<>();
        OptionReply reply = client.optionReply();
        while (reply.type() == REP_META_CONTEXT) {
            all.add(reply.text().substring(4));
            reply = client.optionReply();
        }
        expect(reply, option, REP_ACK);
        return all;
    }

    @Test
    void listsAndSetsContextsByTheRulesOfTheBaseNamespace() throws IOException {
        client.greet();
        expect(ask(OPT_STRUCTURED_REPLY), OPT_STRUCTURED_REPLY, REP_ACK);
        assertThat(contexts(OPT_LIST_META_CONTEXT, contextData("first"))).containsExactly(BASE_ALLOCATION);
        assertThat(contexts(OPT_LIST_META_CONTEXT, contextData("first", "base:")))
                .containsExactly(BASE_ALLOCATION);
        assertThat(contexts(OPT_LIST_META_CONTEXT, contextData("first", "x-no:", "base:other")))
                .isEmpty();
        assertThat(contexts(OPT_SET_META_CONTEXT, contextData("first"))).isEmpty();
        assertThat(contexts(OPT_SET_META_CONTEXT, contextData("first", "base:")))
                .isEmpty();
        assertThat(contexts(OPT_SET_META_CONTEXT, contextData("first", "qemu:dirty", BASE_ALLOCATION, BASE_ALLOCATION)))
                .containsExactly(BASE_ALLOCATION);
        expectInStep();
    }

    @ParameterizedTest
    @ValueSource(ints = {OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT})
    void refusesContextQueriesThatDoNotAddUp(int option) throws IOException {
        client.greet();
        expect(ask(OPT_STRUCTURED_REPLY), OPT_STRUCTURED_REPLY, REP_ACK);
        expect(ask(option), option, REP_ERR_INVALID);
        expect(ask(option, contextData("first", "no colon")), option, REP_ERR_INVALID);
        expect(ask(option, contextData("third", BASE_ALLOCATION)), option, REP_ERR_UNKNOWN);
        byte[] moreQueriesThanData = contextData("first", BASE_ALLOCATION);
        moreQueriesThanData[9] = 127;
        expect(ask(option, moreQueriesThanData), option, REP_ERR_INVALID);
        byte[] queryTooLong = contextData("first", BASE_ALLOCATION);
        queryTooLong[16] = 127;
        expect(ask(option, queryTooLong), option, REP_ERR_INVALID);
        expectInStep();
    }

    @Test
    void forgetsTheContextWhenSettingItAgainFails() throws IOException {
        client.greet();
        expect(ask(OPT_STRUCTURED_REPLY), OPT_STRUCTURED_REPLY, REP_ACK);
        assertThat(contexts(OPT_SET_META_CONTEXT, contextData("first", BASE_ALLOCATION)))
                .hasSize(1);
        expect(ask(OPT_SET_META_CONTEXT, (byte) 1), OPT_SET_META_CONTEXT, REP_ERR_INVALID);
        expect(ask(OPT_GO, goData("first")), OPT_GO, REP_ACK);
        client.request(Command.BLOCK_STATUS, 0, 1, 0, 512);
        assertThat(client.reply(0).error()).isEqualTo(22);
    }

    @Test
    void doesNotCarryAContextOverToAnotherExport() throws IOException {
        client.greet();
        expect(ask(OPT_STRUCTURED_REPLY), OPT_STRUCTURED_REPLY, REP_ACK);
        assertThat(contexts(OPT_SET_META_CONTEXT, contextData("first", BASE_ALLOCATION)))
                .hasSize(1);
        expect(ask(OPT_GO, goData("second")), OPT_GO, REP_ACK);
        client.request(Command.BLOCK_STATUS, 0, 1, 0, 512);
        assertThat(client.reply(0).error()).isEqualTo(22);
    }

    @Test
    void dropsAClientThatDoesNotStopNegotiating() throws IOException {
        client.greet();
        for (int i = 0; i < HandshakePhase.MAX_OPTIONS; i++) {
            expect(ask(OPT_INFO, goData("first")), OPT_INFO, REP_ACK);
        }
        client.option(OPT_INFO, goData("first"));
        assertThat(client.closedByServer()).isTrue();
    }

    @Test
    void understandsAHandshakeThatComesInSingleBytes() throws IOException {
        client.greet();
        for (byte one : optionBytes(OPT_INFO, goData("first"))) {
            client.bytes(one);
        }
        expect(client.lastOptionReply(), OPT_INFO, REP_ACK);
        for (byte one : optionBytes(OPT_GO, goData("first"))) {
            client.bytes(one);
        }
        expect(client.lastOptionReply(), OPT_GO, REP_ACK);
        for (byte one : RawClient.requestBytes(Transmission.REQUEST_MAGIC, 0, 0, 5, 0, 100)) {
            client.bytes(one);
        }
        assertThat(client.reply(100).cookie()).isEqualTo(5);
    }

    @Test
    void servesARequestThatCameTogetherWithTheOptionThatOpens() throws IOException {
        client.greeting();
        byte[] go = optionBytes(OPT_GO, goData("first"));
        byte[] read = RawClient.requestBytes(Transmission.REQUEST_MAGIC, 0, 0, 5, 0, 100);
        client.bytes(ByteBuffer.allocate(4 + go.length + read.length)
                .putInt(FLAG_FIXED_NEWSTYLE)
                .put(go)
                .put(read)
                .array());
        expect(client.lastOptionReply(), OPT_GO, REP_ACK);
        assertThat(client.reply(100).cookie()).isEqualTo(5);
    }

    @Test
    void dropsAClientThatDoesNotFinishInTime() throws IOException {
        try (TestServer impatient = TestServer.start(
                        1,
                        context ->
                                context.export("", new MemoryDevice(SIZE)).handshakeTimeout(Duration.ofMillis(500)));
                RawClient slow = impatient.raw()) {
            slow.greet();
            assertThat(slow.closedByServer()).isTrue();
            assertThat(impatient.server().statistics().protocolViolations()).isEqualTo(1);
        }
    }

    @Test
    void doesNotCountTheTimeAfterTheHandshake() throws IOException {
        try (TestServer impatient = TestServer.start(
                        1,
                        context -> context.export("", new MemoryDevice(SIZE)).handshakeTimeout(Duration.ofSeconds(3)));
                RawClient patient = impatient.raw();
                RawClient clock = impatient.raw()) {
            patient.open(false);
            assertThat(clock.greeting()).isPositive();
            assertThat(clock.closedByServer()).isTrue();
            patient.request(Command.READ, 0, 1, 0, 512);
            assertThat(patient.reply(512).data()).hasSize(512);
        }
    }

    @Test
    void closesWhatComesWhenThereAreTooManyConnections() throws IOException {
        try (TestServer small = TestServer.start(
                        1, context -> context.export("", new MemoryDevice(SIZE)).maxConnections(1));
                RawClient one = small.raw()) {
            one.open(false);
            try (RawClient two = small.raw()) {
                assertThat(two.closedByServer()).isTrue();
            }
            assertThat(small.server().statistics().connectionsRefused()).isEqualTo(1);
            one.reset();
            Await.until(
                    "the first connection has ended",
                    () -> small.server().connections().isEmpty());
            try (NbdClient next = small.client()) {
                next.flush();
            }
        }
    }
}
