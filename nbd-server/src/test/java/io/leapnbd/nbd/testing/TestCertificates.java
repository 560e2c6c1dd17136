package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Folders of certificates, and an authority that signs them. */
public final class TestCertificates {

    private final X509Bundle authority;

    /** An authority of its own, that nobody else trusts. */
    public TestCertificates() {
        try {
            authority = new CertificateBuilder()
                    .ecp256()
                    .subject("CN=authority")
                    .setIsCertificateAuthority(true)
                    .buildSelfSigned();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Makes the files for a server of this host, named {@code localhost} and 127.0.0.1, and for a client. */
    public TlsFolder folder(Path path) throws IOException {
        return folder(path, "localhost", true);
    }

    /** Likewise, for a server of another name, and with or without a certificate of a client. */
    public TlsFolder folder(Path path, String host, boolean client) throws IOException {
        Files.createDirectories(path);
        Files.writeString(path.resolve("ca-cert.pem"), authority.getCertificatePEM());
        write(path, "server", host);
        if (client) {
            write(path, "client", "a client");
        }
        return new TlsFolder(path);
    }

    /** Makes the files for a client whose certificate names a machine of a pool, and what it is good for there. */
    public Path clientOfPool(Path path, String uri) throws IOException {
        Files.createDirectories(path);
        Files.writeString(path.resolve("ca-cert.pem"), authority.getCertificatePEM());
        write(path, "client", "a client", uri);
        return path;
    }

    private void write(Path path, String end, String name) throws IOException {
        write(path, end, name, "");
    }

    private void write(Path path, String end, String name, String uri) throws IOException {
        X509Bundle signed;
        try {
            CertificateBuilder builder = new CertificateBuilder().ecp256().subject("CN=" + name);
            if (!uri.isEmpty()) {
                builder.addSanUriName(uri);
            }
            if (end.equals("server")) {
                builder.addSanDnsName(name);
            }
            if (name.equals("localhost")) {
                builder.addSanIpAddress("127.0.0.1");
            }
            signed = builder.buildIssuedBy(authority);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        Files.writeString(path.resolve(end + "-cert.pem"), signed.getCertificatePathPEM());
        writeKey(path.resolve(end + "-key.pem"), signed.getPrivateKeyPEM());
    }

    /** Writes a file that only its owner may read. */
    public static void writeKey(Path file, String pem) {
        try {
            Files.deleteIfExists(file);
            Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(file, pem);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
