package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.cli.HostPort;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SrvQueryTest {

    private static final String NAME = "_leap-nbd._tcp.lab";

    private static byte[] answer(int flags, int records) throws IOException {
        byte[] question = SrvQuery.question(7, NAME);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeShort(7);
        out.writeShort(flags);
        out.writeShort(1);
        out.writeShort(records);
        out.writeInt(0);
        // The question without the record at its end that says how long an answer may be.
        out.write(question, 12, question.length - 12 - 11);
        for (int i = 0; i < records; i++) {
            // Its name is that of the question.
            out.writeShort(0xc00c);
            out.writeShort(33);
            out.writeShort(1);
            out.writeInt(60 + i);
            out.writeShort(6 + 5);
            out.writeInt(0);
            out.writeShort(9400 + i);
            out.writeByte(2);
            out.write(("H" + i).getBytes(StandardCharsets.US_ASCII));
            // Goes on with the last label of the question.
            out.writeShort(0xc000 | 12 + NAME.indexOf("lab"));
        }
        return bytes.toByteArray();
    }

    private static SrvQuery.Answer parse(byte[] answer) throws IOException {
        return SrvQuery.parse(SrvQuery.question(7, NAME), answer);
    }

    @Test
    void readsHostsPortsAndHowLongTheyAreGood() throws IOException {
        assertThat(parse(answer(0x8180, 2)))
                .isEqualTo(
                        new SrvQuery.Answer(List.of(new HostPort("h0.lab", 9400), new HostPort("h1.lab", 9401)), 60));
    }

    @Test
    void saysWhyThereIsNone() throws IOException {
        assertThat(parse(answer(0x8180, 0)).targets()).isEmpty();
        assertThatThrownBy(() -> parse(answer(0x8183, 0))).hasMessage("there is no such name");
        assertThatThrownBy(() -> parse(answer(0x8182, 0))).hasMessage("DNS answers with error 2");
        assertThatThrownBy(() -> parse(answer(0x0100, 0))).hasMessageContaining("no answer to this question");
        assertThatThrownBy(() -> SrvQuery.parse(SrvQuery.question(8, NAME), answer(0x8180, 1)))
                .hasMessageContaining("no answer to this question");
        assertThatThrownBy(() -> SrvQuery.question(1, "a..b")).hasMessageContaining("is no name");
    }

    @Test
    void failsInOneWayOnlyWhateverIsAnswered() throws IOException {
        Random random = new Random(3);
        byte[] right = answer(0x8180, 3);
        for (int i = 0; i < 20_000; i++) {
            byte[] answer = right.clone();
            for (int n = random.nextInt(4); n >= 0; n--) {
                answer[2 + random.nextInt(answer.length - 2)] = (byte) random.nextInt(256);
            }
            byte[] cut = Arrays.copyOf(answer, random.nextInt(answer.length + 1));
            try {
                DonorListing read = DnsNews.listing(
                        parse(random.nextBoolean() ? answer : cut).targets());
                read.unfit()
                        .forEach(line -> assertThat(line.chars().noneMatch(Character::isISOControl))
                                .isTrue());
            } catch (IOException e) {
                assertThat(e).message().isNotEmpty();
            }
        }
    }

    @Test
    void passesOverWhatIsNoAddress() {
        DonorListing read = DnsNews.listing(List.of(
                new HostPort("h1", 9400), new HostPort("h1", 9400), new HostPort("h2", 0), new HostPort("a,b", 1)));
        assertThat(read.donors())
                .singleElement()
                .extracting(donor -> donor.address(true).toString())
                .isEqualTo("tcp://h1:9400");
        assertThat(read.unfit()).hasSize(2);
    }
}
