package io.leapnbd.bypass.cipher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.memory.RawMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PageCodecTest {

    private static final int PAGE = 4096;

    private final byte[] secret = LifeKeys.drawSecret();
    private final UUID content = UUID.randomUUID();
    private final Random random = new Random(1);
    private final List<ByteBuf> buffers = new ArrayList<>();

    @AfterEach
    void release() {
        buffers.forEach(ByteBuf::release);
    }

    private ByteBuf kept(ByteBuf buffer) {
        buffers.add(buffer);
        return buffer;
    }

    private PageKeys keys(CipherKind kind, List<byte[]> salts, int life) {
        return new PageKeys(new LifeKeys(kind, content, secret), salts, life);
    }

    private ByteBuf randomPage(boolean direct) {
        byte[] bytes = new byte[PAGE];
        random.nextBytes(bytes);
        return kept(direct ? Unpooled.directBuffer(PAGE).writeBytes(bytes) : Unpooled.wrappedBuffer(bytes));
    }

    @ParameterizedTest
    @EnumSource(
            value = CipherKind.class,
            names = {"AES_256_GCM", "AES_128_GCM"})
    void aPageComesBackAsItWasAlsoInABufferWithoutAnAddress(CipherKind kind) {
        PageCodec codec = keys(kind, List.of(LifeKeys.drawSalt()), 0).newCodec();
        for (boolean direct : new boolean[] {true, false}) {
            ByteBuf page = randomPage(direct);
            ByteBuf before = kept(page.copy());
            long stamp = codec.draw(1);
            codec.seal(7, stamp, page, 0);
            assertThat(page).isNotEqualTo(before);
            assertThat(codec.open(7, stamp, codec.tagFirst(), codec.tagSecond(), page, 0))
                    .isTrue();
            codec.takeOpened(page, 0);
            assertThat(page).isEqualTo(before);
        }
    }

    @Test
    void anyOtherBitPlaceStampOrTagIsFoundOut() {
        List<byte[]> salts = List.of(LifeKeys.drawSalt(), LifeKeys.drawSalt());
        PageCodec codec = keys(CipherKind.AES_256_GCM, salts, 1).newCodec();
        ByteBuf page = randomPage(true);
        long stamp = codec.draw(1);
        codec.seal(7, stamp, page, 0);
        long first = codec.tagFirst();
        long second = codec.tagSecond();
        for (int at = 0; at < PAGE; at += 97) {
            page.setByte(at, page.getByte(at) ^ 1 << at % 8);
            assertThat(codec.open(7, stamp, first, second, page, 0)).isFalse();
            page.setByte(at, page.getByte(at) ^ 1 << at % 8);
        }
        assertThat(codec.open(8, stamp, first, second, page, 0)).isFalse();
        assertThat(codec.open(7, stamp + 1, first, second, page, 0)).isFalse();
        assertThat(codec.open(7, stamp ^ 1L << PageKeys.COUNTER_BITS, first, second, page, 0))
                .isFalse();
        assertThat(codec.open(7, stamp, first ^ 1, second, page, 0)).isFalse();
        assertThat(codec.open(7, stamp, first, second ^ 1L << 63, page, 0)).isFalse();
        assertThat(codec.open(7, stamp, first, second, page, 0)).isTrue();
    }

    @Test
    void aStampOfALifeThatIsNotKnownIsNoPage() {
        PageCodec codec =
                keys(CipherKind.AES_256_GCM, List.of(LifeKeys.drawSalt()), 0).newCodec();
        assertThat(codec.open(0, 3L << PageKeys.COUNTER_BITS, 0, 0, randomPage(true), 0))
                .isFalse();
    }

    /** docs/encryption.md, "Keys and nonces": a life's stamps are its own, and its key is nobody else's. */
    @Test
    void noStampIsDrawnTwiceAndNoLifeHasTheKeyOfAnother() {
        List<byte[]> salts = List.of(LifeKeys.drawSalt(), LifeKeys.drawSalt());
        Set<Long> drawn = new HashSet<>();
        for (int life = 0; life < 2; life++) {
            PageKeys keys = keys(CipherKind.AES_256_GCM, salts, life);
            for (int i = 0; i < 1000; i++) {
                int pages = 1 + i % 3;
                long stamp = keys.draw(pages);
                for (int page = 0; page < pages; page++) {
                    assertThat(drawn.add(stamp + page)).isTrue();
                    assertThat(PageKeys.lifeOf(stamp + page)).isEqualTo(life);
                }
            }
        }
        LifeKeys of = new LifeKeys(CipherKind.AES_256_GCM, content, secret);
        assertThat(of.key(salts.get(0))).hasSize(32).isNotEqualTo(of.key(salts.get(1)));
        assertThat(of.key(salts.get(0)))
                .isNotEqualTo(new LifeKeys(CipherKind.AES_256_GCM, UUID.randomUUID(), secret).key(salts.get(0)));
        assertThat(new LifeKeys(CipherKind.AES_128_GCM, content, secret).key(salts.get(0)))
                .hasSize(16);
    }

    /** A state file that was copied away and brought back gives the next two servers the same number, and each draws a salt. */
    @Test
    void twoLivesOfOneNumberHaveTwoKeys() {
        ByteBuf first = kept(Unpooled.directBuffer(PAGE).writeZero(PAGE));
        ByteBuf second = kept(first.copy());
        PageCodec one =
                keys(CipherKind.AES_256_GCM, List.of(LifeKeys.drawSalt()), 0).newCodec();
        PageCodec other =
                keys(CipherKind.AES_256_GCM, List.of(LifeKeys.drawSalt()), 0).newCodec();
        long stamp = one.draw(1);
        assertThat(other.draw(1)).isEqualTo(stamp);
        one.seal(7, stamp, first, 0);
        other.seal(7, stamp, second, 0);
        assertThat(first).isNotEqualTo(second);
        assertThat(one.open(7, stamp, other.tagFirst(), other.tagSecond(), second, 0))
                .isFalse();
    }

    @Test
    void aSecretOfAnotherLengthIsRefused() {
        assertThatThrownBy(() -> new LifeKeys(CipherKind.AES_256_GCM, content, new byte[31]))
                .hasMessageContaining("31 bytes");
    }

    /** Either reads what the other one wrote, so that a machine that gets libcrypto, or loses it, goes on. */
    @Test
    void libcryptoAndTheJdkAgree() {
        // It is on every machine that builds this, and a vector of the specification is right there.
        assertThat(OpenSsl.present()).isTrue();
        byte[] key = new byte[32];
        random.nextBytes(key);
        PageCipher openSsl = new OpenSslCipher(CipherKind.AES_256_GCM, PAGE, 1, life -> key.clone());
        PageCipher jdk = new JdkCipher(PAGE, 1, life -> key.clone());
        try (Arena arena = Arena.ofConfined()) {
            long plain = arena.allocate(PAGE, 64).address();
            long other = arena.allocate(PAGE, 64).address();
            long back = arena.allocate(PAGE, 64).address();
            long nonce = arena.allocate(16, 16).address();
            long tag = arena.allocate(16, 16).address();
            RawMemory.copyFrom(randomPage(true), 0, plain, PAGE);
            PageCipher[] both = {openSsl, jdk};
            for (int i = 0; i < 2; i++) {
                RawMemory.put(nonce, i + 1L);
                both[i].seal(0, nonce, plain, other, tag);
                assertThat(both[1 - i].open(0, nonce, other, back, tag)).isTrue();
                byte[] expected = new byte[PAGE];
                byte[] actual = new byte[PAGE];
                RawMemory.copyToArray(plain, expected, PAGE);
                RawMemory.copyToArray(back, actual, PAGE);
                assertThat(actual).isEqualTo(expected);
                RawMemory.put(tag, RawMemory.get(tag) + 1);
                assertThat(both[1 - i].open(0, nonce, other, back, tag)).isFalse();
            }
        }
    }
}
