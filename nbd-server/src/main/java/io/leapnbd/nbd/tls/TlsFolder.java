package io.leapnbd.nbd.tls;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * A folder of certificates, with the names that nbdkit, qemu and libnbd give the files: {@code ca-cert.pem}, and {@code server-cert.pem} and {@code
 * server-key.pem}, or {@code client-cert.pem} and {@code client-key.pem}. Both ends have to show a certificate that the CA of the other's folder has signed.
 * TLS 1.3 and 1.2. Files that others may change or replace are refused.
 *
 * @param path of the folder
 */
public record TlsFolder(Path path) {

    private static final String CA = "ca-cert.pem";

    /** Of a file. */
    private static final int MOST_BYTES = 1 << 20;

    /** Of clients of TLS (RFC 5280, 4.2.1.12). */
    private static final String CLIENT_USE = "1.3.6.1.5.5.7.3.2";

    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

    private static final Set<PosixFilePermission> NOT_ON_A_KEY = EnumSet.of(
            PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_READ, PosixFilePermission.OTHERS_WRITE);

    /**
     * For a server: with BoringSSL, which is a third as expensive as the JDK's own. The caller releases it.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public SslContext server() throws IOException {
        return server(clients());
    }

    /** Likewise, that believes these clients. */
    public SslContext server(X509ExtendedTrustManager clients) throws IOException {
        if (!OpenSsl.isAvailable()) {
            throw new IOException("TLS cannot be used: its library does not load on this machine: "
                    + OpenSsl.unavailabilityCause().getMessage());
        }
        Credentials own = credentials("server");
        try {
            return SslContextBuilder.forServer(own.key(), own.shown())
                    .sslProvider(SslProvider.OPENSSL_REFCNT)
                    .trustManager(clients)
                    .clientAuth(ClientAuth.REQUIRE)
                    .protocols(PROTOCOLS)
                    .build();
        } catch (SSLException | IllegalArgumentException e) {
            throw unusable(e);
        }
    }

    /**
     * For a client: with the JDK's own.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public SslContext client() throws IOException {
        Credentials own = credentials("client");
        try {
            return SslContextBuilder.forClient()
                    .sslProvider(SslProvider.JDK)
                    .keyManager(own.key(), own.shown())
                    .trustManager(own.believed())
                    .protocols(PROTOCOLS)
                    .build();
        } catch (SSLException | IllegalArgumentException e) {
            throw unusable(e);
        }
    }

    /**
     * For a server of the JDK's own TLS, like its HTTP server. It asks clients for certificates of the CA if it is told to.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public ServerIdentity javaServer() throws IOException {
        X509Certificate[] chain = certificates("server-cert.pem");
        List<KeyManager> keys = keys(chain, key("server-key.pem", chain[0]));
        X509ExtendedTrustManager trust = clients(chain[0]);
        var _ = javaContext(keys, trust);
        return new ServerIdentity(chain[0], keys, trust);
    }

    /**
     * For a client of the JDK's own TLS. It shows the certificate of a client, if there is one.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public SSLContext javaClient() throws IOException {
        return javaContext(shownByClient(), clients());
    }

    /**
     * For a client on the machine of a server that has this very folder. The server's certificate is known, so the address is not compared with it. The
     * client shows it too, and so that it is on this machine; unless it is good for servers only, or the folder has another one by now.
     *
     * @param server what the server shows, as {@link ServerIdentity#fingerprint()} has it
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public SSLContext javaClientOf(String server) throws IOException {
        List<KeyManager> shown = shownByClient();
        try {
            X509Certificate[] chain = certificates("server-cert.pem");
            if (ServerIdentity.fingerprint(chain[0]).equals(server) && isForClients(chain[0])) {
                shown = keys(chain, key("server-key.pem", chain[0]));
            }
        } catch (CertificateException e) {
            throw unusable(e);
        }
        return javaContext(shown, new KnownServerTrust(clients(), server));
    }

    private static boolean isForClients(X509Certificate certificate) throws CertificateException {
        List<String> uses = certificate.getExtendedKeyUsage();
        return uses == null || uses.contains(CLIENT_USE);
    }

    /** What the client has, or nothing. */
    private List<KeyManager> shownByClient() throws IOException {
        if (!Files.exists(path.resolve("client-cert.pem"))) {
            return List.of();
        }
        X509Certificate[] chain = certificates("client-cert.pem");
        return keys(chain, key("client-key.pem", chain[0]));
    }

    private List<KeyManager> keys(X509Certificate[] chain, PrivateKey key) throws IOException {
        // It stays in memory, so the word protects nothing.
        char[] word = "memory".toCharArray();
        try {
            KeyStore own = KeyStore.getInstance("PKCS12");
            own.load(null, null);
            own.setKeyEntry("own", key, word, chain);
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(own, word);
            return List.of(keys.getKeyManagers());
        } catch (GeneralSecurityException e) {
            throw unusable(e);
        }
    }

    private SSLContext javaContext(List<KeyManager> keys, X509ExtendedTrustManager trust) throws IOException {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.toArray(KeyManager[]::new), new TrustManager[] {trust}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw unusable(e);
        }
    }

    /**
     * Which clients a server believes, by what the files have now.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public X509ExtendedTrustManager clients() throws IOException {
        return clients(null);
    }

    private X509ExtendedTrustManager clients(@Nullable X509Certificate own) throws IOException {
        try {
            return ClientTrust.of(authority(), RevokedFile.in(path), own);
        } catch (GeneralSecurityException e) {
            throw unusable(e);
        }
    }

    private KeyStore authority() throws IOException, GeneralSecurityException {
        KeyStore authority = KeyStore.getInstance("PKCS12");
        authority.load(null, null);
        for (X509Certificate certificate : certificates(CA)) {
            authority.setCertificateEntry(certificate.getSerialNumber().toString(), certificate);
        }
        return authority;
    }

    /**
     * What the files have for one end: {@code server}, {@code client}, or another that the folder has files of.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public Credentials credentials(String end) throws IOException {
        X509Certificate[] chain = certificates(end + "-cert.pem");
        PrivateKey key = key(end + "-key.pem", chain[0]);
        return new Credentials(key, List.of(chain), List.of(certificates(CA)));
    }

    private IOException unusable(Exception e) {
        return new IOException("the certificates in " + path + " cannot be used: " + e.getMessage(), e);
    }

    private PrivateKey key(String name, X509Certificate certificate) throws IOException {
        byte[] content = read(name);
        Path file = path.resolve(name);
        Set<PosixFilePermission> open = EnumSet.copyOf(NOT_ON_A_KEY);
        open.retainAll(Files.getPosixFilePermissions(file));
        if (!open.isEmpty()) {
            throw new IOException("others may read or change the private key " + file + "; give it mode 0600");
        }
        PrivateKey key = PrivateKeyFile.parse(file, content);
        if (!fits(key, certificate)) {
            throw new IOException(file + " is not the key of the certificate beside it");
        }
        return key;
    }

    /** Whether what the one signs the other confirms. */
    private static boolean fits(PrivateKey key, X509Certificate certificate) {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(key);
            signature.update((byte) 0);
            byte[] signed = signature.sign();
            signature.initVerify(certificate.getPublicKey());
            signature.update((byte) 0);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private X509Certificate[] certificates(String name) throws IOException {
        try {
            Collection<? extends Certificate> all =
                    CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(read(name)));
            if (all.isEmpty()) {
                throw new IOException(path.resolve(name) + " holds no certificate");
            }
            return all.toArray(new X509Certificate[0]);
        } catch (CertificateException e) {
            throw new IOException(path.resolve(name) + " holds no certificate in PEM: " + e.getMessage(), e);
        }
    }

    private String missing(Path file) {
        if (!Files.exists(path)) {
            return path + ": no such folder; make it with 'leap-nbd pool add', and copy it there";
        }
        if (Files.isRegularFile(path)) {
            return path + " is a file; name the folder of certificates that it is in";
        }
        String name = file.getFileName().toString();
        String end = name.substring(0, Math.max(0, name.indexOf('-')));
        return file + " does not exist; copy all files that were made for this machine to " + path + ": " + CA
                + (name.equals(CA) ? " and others" : ", " + end + "-cert.pem and " + end + "-key.pem");
    }

    private byte[] read(String name) throws IOException {
        Path file = path.resolve(name);
        try {
            return TrustedPath.read(file, MOST_BYTES);
        } catch (NoSuchFileException e) {
            throw new IOException(missing(file), e);
        } catch (AccessDeniedException e) {
            throw new IOException(
                    file + " cannot be read: this user may not; run as root, or give the folder to this user", e);
        } catch (FileSystemException e) {
            if (Files.isRegularFile(path)) {
                throw new IOException(missing(file), e);
            }
            String reason = e.getReason();
            throw new IOException(file + " cannot be read" + (reason == null ? "" : ": " + reason), e);
        }
    }
}
