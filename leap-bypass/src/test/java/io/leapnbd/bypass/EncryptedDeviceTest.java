package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device whose pages are encrypted, what its donors get, and what a later server can read: docs/encryption.md. */
class EncryptedDeviceTest {

    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 4;
    private static final int PAGE = 4096;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final DonorProcess[] donors = new DonorProcess[2];
    private final LyingDonor[] relays = new LyingDonor[2];
    private Encryption encryption = Encryption.by(CipherKind.AES_256_GCM);

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @TempDir
    private Path folder;

    @BeforeEach
    void start() throws IOException {
        for (int i = 0; i < 2; i++) {
            donors[i] = new DonorProcess(SLABS);
            relays[i] = new LyingDonor(donors[i].address());
        }
    }

    @AfterEach
    void stop() throws Exception {
        device.close();
        for (int i = 0; i < 2; i++) {
            relays[i].close();
            donors[i].close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private void open(int copies) throws IOException {
        open(copies, false);
    }

    private void open(int copies, boolean fresh) throws IOException {
        List<DonorAddress> addresses = new ArrayList<>();
        for (int i = 0; i < copies; i++) {
            addresses.add(new DonorAddress(Transport.TCP, "127.0.0.1", relays[i].port(), "zone" + i));
        }
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(addresses)
                        .copies(copies)
                        .encryption(encryption)
                        .fresh(fresh)
                        .requestTimeout(Duration.ofSeconds(8))
                        .wait(Duration.ZERO)
                        .stateFile(state())
                        .conclude(),
                group);
        driver = new DeviceDriver(device, group.next());
    }

    private Path state() {
        return folder.resolve("leap.state");
    }

    private static byte[] page(int value) {
        byte[] bytes = new byte[PAGE];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private void writeThree() {
        assertThat(driver.write(PAGE, page(0x11))).isZero();
        assertThat(driver.write(PAGE, page(0x22))).isZero();
        assertThat(driver.write(2 * PAGE, page(0x33))).isZero();
    }

    @Test
    void aDonorGetsNothingOfWhatAClientWrites() throws IOException {
        open(2);
        byte[] text =
                "the quick brown fox jumps over the lazy dog; ".repeat(100).getBytes(StandardCharsets.US_ASCII);
        byte[] page = Arrays.copyOf(text, PAGE);
        assertThat(driver.write(0, page)).isZero();
        assertThat(driver.write(0, page)).isZero();
        assertThat(driver.write(PAGE + 7, Arrays.copyOf(text, 500))).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page);
        Set<String> seen = new HashSet<>();
        for (LyingDonor relay : relays) {
            assertThat(relay.written()).hasSize(3);
            for (byte[] bytes : relay.written()) {
                String got = new String(bytes, StandardCharsets.ISO_8859_1);
                assertThat(got).doesNotContain("quick").doesNotContain("\0\0\0\0\0\0");
                seen.add(got);
            }
        }
        // Two writes of the same bytes are two ciphertexts, and both donors have the same of each.
        assertThat(seen).hasSize(3);
    }

    @Test
    void everyPageIsThereForTheNextServerAndNoNonceOfTheFirstIsUsedAgain() throws IOException {
        IntFunction<byte[]> bytes = i -> page(i + 1);
        open(2);
        Set<String> ciphertexts = new HashSet<>();
        for (int life = 0; life < 3; life++) {
            for (int i = 0; i < 20; i++) {
                if (life > 0) {
                    assertThat(driver.read((long) i * PAGE, PAGE)).isEqualTo(bytes.apply(i));
                }
                // The same bytes at the same place: only another nonce or key makes them another ciphertext.
                assertThat(driver.write((long) i * PAGE, bytes.apply(i))).isZero();
            }
            device.close();
            open(2);
        }
        relays[0].written().forEach(one -> ciphertexts.add(Arrays.toString(one)));
        assertThat(ciphertexts).hasSize(60);
        for (int i = 0; i < 20; i++) {
            assertThat(driver.read((long) i * PAGE, PAGE)).isEqualTo(bytes.apply(i));
        }
    }

    @Test
    void aStartWithoutTheStateFileIsRefusedUntilItIsFresh() throws IOException {
        open(1);
        writeThree();
        device.close();
        Files.delete(state());
        assertThatThrownBy(() -> open(1)).isInstanceOf(IOException.class).hasMessageContaining("--fresh");
        open(1, true);
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0));
        assertThat(driver.write(PAGE, page(9))).isZero();
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(9));
    }

    @Test
    void howAnExportIsEncryptedDoesNotChange() throws IOException {
        open(1);
        writeThree();
        device.close();
        for (Encryption other : List.of(Encryption.OFF, Encryption.by(CipherKind.AES_128_GCM))) {
            encryption = other;
            assertThatThrownBy(() -> open(1)).hasMessageContaining("begun with --encrypt aes-256-gcm");
            Path elsewhere = folder.resolve("moved");
            Files.move(state(), elsewhere);
            assertThatThrownBy(() -> open(1)).hasMessageContaining("begun with --encrypt aes-256-gcm");
            Files.move(elsewhere, state());
        }
        encryption = Encryption.by(CipherKind.AES_256_GCM);
        open(1);
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0x22));
    }

    @Test
    void aSecretThatIsKeptElsewhereIsAskedForAndIsNotInTheStateFile() throws IOException {
        byte[] secret = LifeKeys.drawSecret();
        encryption = Encryption.by(CipherKind.AES_256_GCM, secret);
        open(1);
        writeThree();
        device.close();
        String file = new String(Files.readAllBytes(state()), StandardCharsets.ISO_8859_1);
        assertThat(file).doesNotContain(new String(secret, StandardCharsets.ISO_8859_1));
        encryption = Encryption.by(CipherKind.AES_256_GCM);
        assertThatThrownBy(() -> open(1)).hasMessageContaining("--key-file");
        encryption = Encryption.by(CipherKind.AES_256_GCM, LifeKeys.drawSecret());
        assertThatThrownBy(() -> open(1)).hasMessageContaining("another key than --key-file has");
        encryption = Encryption.by(CipherKind.AES_256_GCM, secret);
        open(1);
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0x22));
    }

    @Test
    void theStateFileIsItsOwnersAloneAndAFreshStartWipesTheSecret() throws IOException {
        open(1);
        writeThree();
        device.close();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(state())))
                .isEqualTo("rw-------");
        byte[] before = Arrays.copyOfRange(Files.readAllBytes(state()), 2560, 2560 + 48);
        assertThat(before).isNotEqualTo(new byte[48]);
        Path link = folder.resolve("link");
        Files.createLink(link, state());
        open(1, true);
        assertThat(Arrays.copyOfRange(Files.readAllBytes(link), 2560, 2560 + 64))
                .isEqualTo(new byte[64]);
        assertThat(Arrays.copyOfRange(Files.readAllBytes(state()), 2560, 2560 + 48))
                .isNotEqualTo(before);
    }
}
