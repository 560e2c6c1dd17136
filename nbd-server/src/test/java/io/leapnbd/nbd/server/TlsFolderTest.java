package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.tls.PskFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders of certificates as users have them: with files that are missing, open to others, damaged, or of an older form. */
class TlsFolderTest {

    private static final FileAttribute<?> OWN =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    @TempDir
    private Path path;

    private TlsFolder folder;

    @BeforeEach
    void certificates() throws IOException {
        folder = new TestCertificates().folder(path);
    }

    @Test
    void a_whole_folder_is_usable_by_both_ends() throws IOException {
        assertThat(ReferenceCountUtil.release(folder.server())).isTrue();
        assertThat(folder.client().isClient()).isTrue();
    }

    @Test
    void a_file_that_is_missing_is_named_together_with_what_there_has_to_be() throws IOException {
        Files.delete(path.resolve("server-cert.pem"));
        assertThatThrownBy(folder::server)
                .isInstanceOf(IOException.class)
                .hasMessage(path.resolve("server-cert.pem") + " does not exist; copy all files that were made for this"
                        + " machine to " + path + ": ca-cert.pem, server-cert.pem and server-key.pem");
    }

    @Test
    void a_file_in_place_of_its_folder_is_refused_as_such() {
        Path file = path.resolve("server-cert.pem");
        assertThatThrownBy(new TlsFolder(file)::server)
                .isInstanceOf(IOException.class)
                .hasMessage(file + " is a file; name the folder of certificates that it is in");
    }

    @Test
    void a_donors_files_are_among_those_that_there_may_be_and_a_folder_that_is_missing_is_named_alone() {
        assertThatThrownBy(() -> folder.credentials("donor"))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(path.resolve("donor-cert.pem") + " does not exist; copy all files")
                .hasMessageEndingWith("donor-cert.pem and donor-key.pem");
        Path none = path.resolve("none");
        assertThatThrownBy(new TlsFolder(none)::server)
                .isInstanceOf(IOException.class)
                .hasMessage(none + ": no such folder; make it with 'leap-nbd pool add', and copy it there");
    }

    @Test
    void a_key_that_others_may_read_is_refused() throws IOException {
        Files.setPosixFilePermissions(path.resolve("server-key.pem"), PosixFilePermissions.fromString("rw-r--r--"));
        assertThatThrownBy(folder::server)
                .isInstanceOf(IOException.class)
                .hasMessage("others may read or change the private key " + path.resolve("server-key.pem")
                        + "; give it mode 0600");
    }

    /** Who can change what is believed can let himself in. */
    @ParameterizedTest
    @ValueSource(strings = {"ca-cert.pem", "server-cert.pem", "server-key.pem"})
    void a_file_that_others_may_change_or_that_is_another_users_is_refused(String name) throws IOException {
        Path file = path.resolve(name);
        for (String mode : new String[] {"rw--w----", "rw-----w-"}) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
            assertThatThrownBy(folder::server)
                    .isInstanceOf(IOException.class)
                    .hasMessage("others may change " + file + "; take that right away: chmod go-w " + file);
        }
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertThat(ReferenceCountUtil.release(folder.server())).isTrue();
        if (Files.getAttribute(file, "unix:uid").equals(0)) {
            Files.setAttribute(file, "unix:uid", 54_321);
            assertThatThrownBy(folder::server)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(file + " belongs to 54321, who could change it");
        }
    }

    /** A pipe or a device would keep who reads it, and a reload would keep all that come behind it. */
    @ParameterizedTest
    @ValueSource(strings = {"ca-cert.pem", "server-cert.pem", "server-key.pem", "revoked"})
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void what_is_no_plain_file_is_refused_and_not_waited_for(String name) throws Exception {
        Path file = path.resolve(name);
        Path pipe = path.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", "-m", "600", pipe.toString())
                        .start()
                        .waitFor())
                .isZero();
        Path inner = Files.createDirectory(path.resolve("folder"), OWN);
        for (Path other : new Path[] {pipe, inner}) {
            Files.deleteIfExists(file);
            Files.createSymbolicLink(file, other);
            assertThatThrownBy(folder::server)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(file + " is not a plain file");
        }
    }

    @Test
    void a_file_that_is_far_too_long_is_refused() throws IOException {
        Path file = path.resolve("ca-cert.pem");
        Files.write(file, new byte[(1 << 20) + 1]);
        assertThatThrownBy(folder::server)
                .isInstanceOf(IOException.class)
                .hasMessage(file + " has more than 1048576 bytes");
    }

    @Test
    void a_folder_in_which_others_may_replace_files_is_refused_and_so_is_one_above_it() throws IOException {
        Path inner = Files.createDirectories(path.resolve("above/inner"));
        TlsFolder its = new TestCertificates().folder(inner);
        for (Path open : new Path[] {inner, inner.getParent()}) {
            for (String mode : new String[] {"rwxrwxrwx", "rwxrwx---"}) {
                Files.setPosixFilePermissions(open, PosixFilePermissions.fromString(mode));
                assertThatThrownBy(its::server)
                        .isInstanceOf(IOException.class)
                        .hasMessageStartingWith(
                                "others may write to the folder " + open.toRealPath() + ", and so replace ");
                assertThatThrownBy(its::client).isInstanceOf(IOException.class);
                assertThatThrownBy(its::javaServer).isInstanceOf(IOException.class);
            }
            // As /tmp: others may add files, and replace none.
            Files.setAttribute(open, "unix:mode", 01777);
            assertThat(ReferenceCountUtil.release(its.server())).isTrue();
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwx------"));
        }
    }

    @Test
    void a_link_is_followed_to_where_nobody_else_may_write_only() throws IOException {
        Path open = Files.createDirectory(path.resolve("open"));
        Path moved = Files.move(path.resolve("ca-cert.pem"), open.resolve("ca-cert.pem"));
        Files.createSymbolicLink(path.resolve("ca-cert.pem"), moved);
        assertThat(ReferenceCountUtil.release(folder.server())).isTrue();
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(folder::server)
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("others may write to the folder " + open.toRealPath());
    }

    @Test
    void a_file_of_keys_that_others_may_replace_is_refused() throws IOException {
        Path inner = Files.createDirectory(path.resolve("keys"));
        Path keys = inner.resolve("keys.psk");
        TestCertificates.writeKey(keys, "alice:00112233445566778899aabbccddeeff\n");
        assertThat(new PskFile(keys).read().count()).isEqualTo(1);
        Files.setPosixFilePermissions(inner, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> new PskFile(keys).read())
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("others may write to the folder " + inner.toRealPath());
    }

    @Test
    void damaged_files_are_refused_by_name() throws IOException {
        Path key = path.resolve("server-key.pem");
        String whole = Files.readString(key);
        for (String bad : new String[] {
            "",
            "no key",
            whole.substring(0, whole.length() / 2),
            whole.replaceAll("(?m)^([A-Za-z0-9+/=]{20}).*$", "$1"),
            pem("RSA PRIVATE KEY", new byte[3]),
            pem("EC PRIVATE KEY", new byte[3]),
            pem("ENCRYPTED PRIVATE KEY", new byte[300]),
            pem("DSA PRIVATE KEY", new byte[300])
        }) {
            TestCertificates.writeKey(key, bad);
            assertThatThrownBy(folder::server).isInstanceOf(IOException.class).hasMessageContaining(key.toString());
        }
        TestCertificates.writeKey(key, whole);
        Files.writeString(path.resolve("ca-cert.pem"), "no certificate");
        assertThatThrownBy(folder::server)
                .isInstanceOf(IOException.class)
                .hasMessageContaining(path.resolve("ca-cert.pem").toString());
    }

    @Test
    void keys_in_the_older_forms_of_openssl_and_certtool_are_read() throws Exception {
        Path key = path.resolve("client-key.pem");
        byte[] pkcs8 = pkcs8(Files.readString(key));
        // The old form of a curve's key leaves the curve to the envelope here; openssl puts it in, as element [0].
        TestCertificates.writeKey(key, pem("EC PRIVATE KEY", withCurve(pkcs8)));
        assertThat(folder.client().isClient()).isTrue();

        KeyPairGenerator rsa = KeyPairGenerator.getInstance("RSA");
        rsa.initialize(2048);
        byte[] wrapped = rsa.generateKeyPair().getPrivate().getEncoded();
        // SEQUENCE (4), version (3), algorithm (15), OCTET STRING (4).
        byte[] inner = Arrays.copyOfRange(wrapped, 26, wrapped.length);
        TestCertificates.writeKey(path.resolve("server-key.pem"), pem("RSA PRIVATE KEY", inner));
        // It is read, and is not the one of the certificate.
        assertThatThrownBy(folder::server)
                .hasMessage(path.resolve("server-key.pem") + " is not the key of the certificate beside it");
    }

    private static byte[] pkcs8(String pem) {
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]*-----", ""));
    }

    /** An ECPrivateKey (RFC 5915) for curve P-256, of which the PKCS #8 form is given. */
    private static byte[] withCurve(byte[] pkcs8) throws Exception {
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        byte[] secret = new byte[32];
        byte[] s = ((java.security.interfaces.ECPrivateKey) key).getS().toByteArray();
        int from = Math.max(0, s.length - 32);
        System.arraycopy(s, from, secret, 32 - (s.length - from), s.length - from);
        byte[] out = new byte[2 + 3 + 2 + 32 + 12];
        byte[] head = {0x30, (byte) (out.length - 2), 0x02, 0x01, 0x01, 0x04, 0x20};
        byte[] curve = {(byte) 0xa0, 0x0a, 0x06, 0x08, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x03, 0x01, 0x07};
        System.arraycopy(head, 0, out, 0, head.length);
        System.arraycopy(secret, 0, out, head.length, 32);
        System.arraycopy(curve, 0, out, head.length + 32, curve.length);
        return out;
    }

    private static String pem(String kind, byte[] der) {
        String body = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                .encodeToString(der);
        return "-----BEGIN " + kind + "-----\n" + body + "\n-----END " + kind + "-----\n";
    }
}
