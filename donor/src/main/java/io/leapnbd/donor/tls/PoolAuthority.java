package io.leapnbd.donor.tls;

import io.netty.util.NetUtil;
import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * Signs the certificates of a pool's machines: X.509 version 3 (RFC 5280), keys on the curve P-256, ECDSA with SHA-256. Every program that
 * speaks TLS 1.2 or 1.3 takes these. They are of one shape, so they are put together here, and the JDK reads and verifies each one before it is
 * handed out; a library for certificates of all shapes would be larger than leap-nbd. One thread at a time.
 */
public final class PoolAuthority {

    /** Clocks of machines may differ by so much when a certificate is new: it begins so long before it is made. */
    public static final Duration CLOCKS = Duration.ofHours(1);

    private static final String EC = "1.2.840.10045.2.1";
    private static final String P256 = "1.2.840.10045.3.1.7";
    private static final String ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    private static final String COMMON_NAME = "2.5.4.3";
    private static final String SUBJECT_KEY = "2.5.29.14";
    private static final String KEY_USAGE = "2.5.29.15";
    private static final String ALTERNATIVE_NAMES = "2.5.29.17";
    private static final String BASIC_CONSTRAINTS = "2.5.29.19";
    private static final String AUTHORITY_KEY = "2.5.29.35";
    private static final String EXTENDED_KEY_USAGE = "2.5.29.37";
    private static final String SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

    /** KeyUsage: keyCertSign and cRLSign, bits 5 and 6; digitalSignature, bit 0. */
    private static final byte[] SIGNS_CERTIFICATES = Der.flags(0x06, 1);

    private static final byte[] SIGNS = Der.flags(0x80, 7);

    private static final int COORDINATE = 32;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final PrivateKey key;
    private final X509Certificate certificate;

    /**
     * One that was made before.
     *
     * @throws GeneralSecurityException if the certificate is none of an authority, or not of the key
     */
    public PoolAuthority(PrivateKey key, X509Certificate certificate) throws GeneralSecurityException {
        if (certificate.getBasicConstraints() < 0) {
            throw new GeneralSecurityException("the certificate is not that of an authority");
        }
        this.key = key;
        this.certificate = certificate;
    }

    /**
     * A key and its certificate.
     *
     * @param base64 the key in the form of PKCS #8 (RFC 5958), with its public part, which some programs want; in lines of 64 characters
     */
    public record Issued(PrivateKey key, String base64, X509Certificate certificate) {}

    /** Makes a new authority. */
    public static Issued create(String pool, Instant now, Duration life) throws GeneralSecurityException {
        KeyPair pair = keys();
        byte[] name = name("leap-nbd pool " + pool);
        List<byte[]> extensions = List.of(
                extension(BASIC_CONSTRAINTS, true, Der.sequence(Der.yes(), Der.integer(0))),
                extension(KEY_USAGE, true, SIGNS_CERTIFICATES),
                extension(SUBJECT_KEY, false, Der.octets(digest(pair.getPublic()))));
        X509Certificate made =
                sign(pair.getPrivate(), name, name, pair.getPublic(), now.minus(CLOCKS), now.plus(life), extensions);
        made.verify(pair.getPublic());
        return new Issued(pair.getPrivate(), pkcs8(pair), made);
    }

    /**
     * Makes a machine's key and certificate.
     *
     * @param hosts names and addresses by which clients of NBD know the machine
     * @param until when it ends; no later than the authority itself
     */
    public Issued issue(PoolName who, List<String> hosts, Instant now, Instant until) throws GeneralSecurityException {
        KeyPair pair = keys();
        List<byte[]> names = new ArrayList<>();
        names.add(Der.implicit(6, who.uri().getBytes(StandardCharsets.US_ASCII)));
        for (String host : hosts) {
            byte[] address = NetUtil.createByteArrayFromIpAddressString(host);
            names.add(
                    address == null
                            ? Der.implicit(2, host.getBytes(StandardCharsets.US_ASCII))
                            : Der.implicit(7, address));
        }
        byte[] uses = switch (who.role()) {
            case DONOR -> Der.sequence(Der.oid(SERVER_AUTH));
            // Of donors it is a client.
            case SERVER -> Der.sequence(Der.oid(SERVER_AUTH), Der.oid(CLIENT_AUTH));
            case CLIENT -> Der.sequence(Der.oid(CLIENT_AUTH));
        };
        List<byte[]> extensions = List.of(
                extension(KEY_USAGE, true, SIGNS),
                extension(EXTENDED_KEY_USAGE, false, uses),
                extension(ALTERNATIVE_NAMES, false, Der.sequence(names.toArray(new byte[0][]))),
                extension(SUBJECT_KEY, false, Der.octets(digest(pair.getPublic()))),
                extension(AUTHORITY_KEY, false, Der.sequence(Der.implicit(0, digest(certificate.getPublicKey())))));
        Instant ends = certificate.getNotAfter().toInstant();
        X509Certificate made = sign(
                key,
                certificate.getSubjectX500Principal().getEncoded(),
                name(who.name()),
                pair.getPublic(),
                now.minus(CLOCKS),
                until.isBefore(ends) ? until : ends,
                extensions);
        made.verify(certificate.getPublicKey());
        if (!PoolName.of(made).equals(who)) {
            throw new GeneralSecurityException("the certificate does not say what it should");
        }
        return new Issued(pair.getPrivate(), pkcs8(pair), made);
    }

    /** The authority's own certificate. */
    public X509Certificate certificate() {
        return certificate;
    }

    private static X509Certificate sign(
            PrivateKey by,
            byte[] issuer,
            byte[] subject,
            PublicKey whose,
            Instant from,
            Instant until,
            List<byte[]> extensions)
            throws GeneralSecurityException {
        byte[] algorithm = Der.sequence(Der.oid(ECDSA_SHA256));
        // 127 bits, so that it is above zero and never drawn twice.
        BigInteger serial = new BigInteger(127, RANDOM).setBit(126);
        byte[] content = Der.sequence(
                Der.tagged(0, Der.integer(2)),
                Der.integer(serial),
                algorithm,
                issuer,
                Der.sequence(
                        Der.time(from.truncatedTo(ChronoUnit.SECONDS)),
                        Der.time(until.truncatedTo(ChronoUnit.SECONDS))),
                subject,
                whose.getEncoded(),
                Der.tagged(3, Der.sequence(extensions.toArray(new byte[0][]))));
        Signature signature = Signature.getInstance("SHA256withECDSA");
        signature.initSign(by, RANDOM);
        signature.update(content);
        byte[] whole = Der.sequence(content, algorithm, Der.bits(signature.sign()));
        return (X509Certificate)
                CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(whole));
    }

    private static byte[] extension(String oid, boolean critical, byte[] value) {
        return critical
                ? Der.sequence(Der.oid(oid), Der.yes(), Der.octets(value))
                : Der.sequence(Der.oid(oid), Der.octets(value));
    }

    private static byte[] name(String common) {
        return Der.sequence(Der.set(Der.sequence(Der.oid(COMMON_NAME), Der.text(common))));
    }

    /** RFC 5280, 4.2.1.2, method 1. */
    private static byte[] digest(PublicKey key) throws NoSuchAlgorithmException {
        return MessageDigest.getInstance("SHA-1").digest(point((ECPublicKey) key));
    }

    private static byte[] point(ECPublicKey key) {
        byte[] point = new byte[1 + 2 * COORDINATE];
        point[0] = 4;
        put(key.getW().getAffineX(), point, 1);
        put(key.getW().getAffineY(), point, 1 + COORDINATE);
        return point;
    }

    private static void put(BigInteger number, byte[] into, int at) {
        byte[] bytes = number.toByteArray();
        int from = Math.max(0, bytes.length - COORDINATE);
        System.arraycopy(bytes, from, into, at + COORDINATE - (bytes.length - from), bytes.length - from);
    }

    private static String pkcs8(KeyPair pair) {
        byte[] secret = new byte[COORDINATE];
        put(((ECPrivateKey) pair.getPrivate()).getS(), secret, 0);
        byte[] own = Der.sequence(
                Der.integer(1), Der.octets(secret), Der.tagged(1, Der.bits(point((ECPublicKey) pair.getPublic()))));
        byte[] whole = Der.sequence(Der.integer(0), Der.sequence(Der.oid(EC), Der.oid(P256)), Der.octets(own));
        return Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(whole);
    }

    private static KeyPair keys() throws NoSuchAlgorithmException, InvalidAlgorithmParameterException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"), RANDOM);
        return generator.generateKeyPair();
    }
}
