package io.leapnbd.donor.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tags of frames in clear: that they are what the standard says, and that a hostile middle gets nothing past them. */
class FrameTagsTest {

    private static final HexFormat HEX = HexFormat.of();
    private static final byte[] KEY = HEX.parseHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    private static final int HEADER = 32;
    private static final long SEED = Long.getLong("leap.seed", 15);
    private static final int HISTORIES = Integer.getInteger("leap.steps", 400);

    /** What somebody has said: a header or a body, with its tag behind it. */
    private static final class Part {

        private final boolean header;
        private final byte[] bytes;

        Part(boolean header, byte[] bytes) {
            this.header = header;
            this.bytes = bytes;
        }

        boolean header() {
            return header;
        }

        byte[] bytes() {
            return bytes;
        }

        int length() {
            return bytes.length - FrameTags.LENGTH;
        }
    }

    /** By the words of RFC 4493, in the slowest way. */
    private static byte[] cmac(byte[] key, byte[] message) throws GeneralSecurityException {
        Cipher aes = Cipher.getInstance("AES/ECB/NoPadding");
        aes.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"));
        byte[] whole = doubled(aes.doFinal(new byte[16]));
        byte[] filled = doubled(whole);
        int blocks = Math.max(1, (message.length + 15) / 16);
        byte[] last = Arrays.copyOfRange(message, 16 * (blocks - 1), 16 * blocks);
        boolean isWhole = message.length == 16 * blocks;
        if (!isWhole) {
            last[message.length % 16] = (byte) 0x80;
        }
        byte[] at = new byte[16];
        for (int i = 0; i < blocks - 1; i++) {
            at = aes.doFinal(xor(at, Arrays.copyOfRange(message, 16 * i, 16 * i + 16)));
        }
        return aes.doFinal(xor(at, xor(last, isWhole ? whole : filled)));
    }

    private static byte[] doubled(byte[] block) {
        byte[] out = new byte[16];
        for (int i = 0; i < 16; i++) {
            out[i] = (byte) (block[i] << 1 | (i < 15 ? (block[i + 1] & 0xff) >> 7 : 0));
        }
        out[15] ^= (byte) (block[0] < 0 ? 0x87 : 0);
        return out;
    }

    private static byte[] xor(byte[] a, byte[] b) {
        byte[] out = a.clone();
        for (int i = 0; i < out.length; i++) {
            out[i] ^= b[i];
        }
        return out;
    }

    /** NIST SP 800-38B, appendix D.3. */
    @ParameterizedTest
    @CsvSource({
        "'', 028962f61b7bf89efc6b551f4667d983",
        "6bc1bee22e409f96e93d7e117393172a, 28a7023f452e8f82bd4bf28d8c37c35c",
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411, aaf3d8f1de5640c232f5b169b9c911e6",
    })
    void theOtherWayIsThatOfTheStandard(String message, String tag) throws Exception {
        assertThat(HEX.formatHex(cmac(KEY, HEX.parseHex(message)))).isEqualTo(tag);
    }

    /** Of every length around a block and around what is given to the cipher at a time. */
    @Test
    void aTagIsTheCmacOfNumberWayKindLengthAndPart() throws Exception {
        FrameTags tags = new FrameTags(KEY, (byte) 2);
        Random random = new Random(SEED);
        long number = 0;
        for (int length = 0; length < 3200; length += length < 70 || length % 1024 > 990 ? 1 : 9) {
            byte[] part = new byte[length];
            random.nextBytes(part);
            boolean header = random.nextBoolean();
            byte[] whole = ByteBuffer.allocate(16 + length)
                    .putLong(number++)
                    .put((byte) 2)
                    .put((byte) (header ? 0 : 1))
                    .putShort((short) 0)
                    .putInt(length)
                    .put(part)
                    .array();
            byte[] said = said(tags, header, part).bytes();
            assertThat(Arrays.copyOfRange(said, length, length + 16))
                    .as("of %d bytes", length)
                    .isEqualTo(cmac(KEY, whole));
        }
    }

    private static Part said(FrameTags tags, boolean header, byte[] part) {
        ByteBuf buf = Unpooled.buffer(part.length + FrameTags.LENGTH);
        buf.writeBytes(part).writeZero(FrameTags.LENGTH);
        if (header) {
            tags.signHeader(buf, 0, part.length, part.length);
        } else {
            tags.signBody(buf, 0, part.length, part.length);
        }
        return new Part(header, buf.array());
    }

    /** As whoever receives it looks at it: what is next, a header or a body, and of what length, follows from what came before. */
    private static boolean believes(FrameTags tags, Part expected, byte[] came) {
        ByteBuf buf = Unpooled.wrappedBuffer(came);
        try {
            if (expected.header()) {
                tags.checkHeader(buf, 0, expected.length(), expected.length());
            } else {
                tags.checkBody(buf, 0, expected.length(), expected.length());
            }
            return true;
        } catch (AlteredFrameException e) {
            return false;
        }
    }

    private static FrameKeys keys(Random random) {
        byte[] server = new byte[FrameKeys.SHARE];
        byte[] donor = new byte[FrameKeys.SHARE];
        random.nextBytes(server);
        random.nextBytes(donor);
        return FrameKeys.of(server, donor);
    }

    /** Frames of one shape on every link and in both directions, so that only the tags tell them apart. */
    private static List<Part> speech(FrameTags tags, Random shape, int parts, byte fill) {
        List<Part> all = new ArrayList<>();
        for (int i = 0; i < parts; i++) {
            byte[] part = new byte[shape.nextInt(4) > 0 ? HEADER : 1 + shape.nextInt(48)];
            Arrays.fill(part, fill);
            all.add(said(tags, part.length == HEADER, part));
        }
        return all;
    }

    /**
     * Whatever is done to what one end says, the other end believes what was said up to there, and nothing after. All parts have the same bytes,
     * so every exchange of two of them is one that only the tag can find.
     */
    @Test
    void aHostileMiddleGetsNothingPastThem() {
        for (long seed = SEED; seed < SEED + HISTORIES; seed++) {
            Random random = new Random(seed);
            long link = random.nextLong();
            long shape = random.nextLong();
            int parts = 2 + random.nextInt(12);
            List<Part> said = speech(keys(new Random(link)).fromServer(), new Random(shape), parts, (byte) 7);
            List<Part> answers = speech(keys(new Random(link)).fromDonor(), new Random(shape), parts, (byte) 7);
            List<Part> elsewhere = speech(keys(new Random(link + 1)).fromServer(), new Random(shape), parts, (byte) 7);
            int at = random.nextInt(parts);
            List<byte[]> came = new ArrayList<>(said.stream().map(Part::bytes).toList());
            int does = random.nextInt(7);
            int other = random.nextInt(parts);
            // The first part that is not the one that was said there.
            int first = at;
            switch (does) {
                case 0 -> came.set(at, flipped(came.get(at), random));
                case 1 -> came.remove(at);
                case 2 -> {
                    came.add(at, came.get(other));
                    first = other == at ? at + 1 : at;
                }
                case 3 -> {
                    came.add(at, came.remove(other));
                    first = other == at ? parts : Math.min(at, other);
                }
                case 4 -> came.set(at, answers.get(at).bytes());
                case 5 -> came.set(at, elsewhere.get(at).bytes());
                default -> came.set(at, forged(came.get(at), random));
            }
            FrameTags receiver = keys(new Random(link)).fromServer();
            ByteBuf stream = Unpooled.wrappedBuffer(came.toArray(new byte[0][]));
            int believed = 0;
            boolean wrong = false;
            for (int i = 0; i < parts && stream.readableBytes() >= said.get(i).bytes().length; i++) {
                byte[] next = new byte[said.get(i).bytes().length];
                stream.readBytes(next);
                if (believes(receiver, said.get(i), next)) {
                    wrong |= i != believed || !Arrays.equals(next, said.get(i).bytes());
                    believed++;
                }
            }
            assertThat(wrong)
                    .as("something else was believed, seed %d, does %d", seed, does)
                    .isFalse();
            assertThat(believed).as("seed %d, does %d", seed, does).isEqualTo(Math.min(first, parts));
        }
    }

    private static byte[] flipped(byte[] part, Random random) {
        byte[] out = part.clone();
        out[random.nextInt(out.length)] ^= (byte) (1 << random.nextInt(8));
        return out;
    }

    private static byte[] forged(byte[] part, Random random) {
        byte[] out = part.clone();
        byte[] tag = new byte[FrameTags.LENGTH];
        random.nextBytes(tag);
        System.arraycopy(tag, 0, out, out.length - tag.length, tag.length);
        return out;
    }

    @Test
    void aHeaderIsNoBodyOfTheSameBytes() {
        FrameKeys server = keys(new Random(1));
        Part said = said(server.fromServer(), true, new byte[HEADER]);
        assertThat(believes(keys(new Random(1)).fromServer(), new Part(false, said.bytes()), said.bytes()))
                .isFalse();
        assertThat(believes(keys(new Random(1)).fromServer(), said, said.bytes()))
                .isTrue();
    }

    @Test
    void afterOnePartThatDoesNotFitNoneDoes() {
        FrameKeys server = keys(new Random(1));
        FrameTags receiver = keys(new Random(1)).fromServer();
        Part first = said(server.fromServer(), true, new byte[HEADER]);
        Part second = said(server.fromServer(), true, new byte[HEADER]);
        assertThat(believes(receiver, first, new byte[HEADER + FrameTags.LENGTH]))
                .isFalse();
        // It counts as the first, so the second would be next.
        assertThat(believes(receiver, second, second.bytes())).isFalse();
        assertThat(believes(receiver, first, first.bytes())).isFalse();
    }

    @Test
    void eachShareCountsForBothDirections() {
        byte[] one = new byte[FrameKeys.SHARE];
        byte[] other = new byte[FrameKeys.SHARE];
        other[FrameKeys.SHARE - 1] = 1;
        Part said = said(FrameKeys.of(one, other).fromServer(), true, new byte[HEADER]);
        assertThat(believes(FrameKeys.of(one, other).fromServer(), said, said.bytes()))
                .isTrue();
        for (FrameKeys wrong : List.of(FrameKeys.of(other, other), FrameKeys.of(one, one), FrameKeys.of(other, one))) {
            assertThat(believes(wrong.fromServer(), said, said.bytes())).isFalse();
        }
        assertThat(believes(FrameKeys.of(one, other).fromDonor(), said, said.bytes()))
                .isFalse();
        assertThatThrownBy(() -> FrameKeys.of(one, new byte[31])).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void nothingIsAllocatedForAFrame() throws Exception {
        FrameKeys server = keys(new Random(1));
        FrameTags signs = server.fromServer();
        FrameTags checks = keys(new Random(1)).fromServer();
        ByteBuf frame = Unpooled.wrappedBuffer(new byte[64]);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 20 && least > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1000; i++) {
                signs.signHeader(frame, 16, HEADER, 0);
                checks.checkHeader(frame, 16, HEADER, 0);
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        // The bean itself may leave a few.
        assertThat(least).isLessThan(1000);
    }
}
