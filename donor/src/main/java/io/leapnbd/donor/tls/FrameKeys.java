package io.leapnbd.donor.tls;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import javax.crypto.KDF;
import javax.crypto.spec.HKDFParameterSpec;

/**
 * The keys of one link whose frames go in clear. Both ends have drawn {@link #SHARE} bytes for it, and told each other inside of TLS. So nobody else
 * knows them, each end knows that the other one is who has shown a certificate, and no two links have the same keys.
 *
 * @param fromServer of requests
 * @param fromDonor of replies
 */
public record FrameKeys(FrameTags fromServer, FrameTags fromDonor) {

    /** Bytes that each end draws. */
    public static final int SHARE = 32;

    private static final byte[] SALT = "leap-nbd link auth 1".getBytes(StandardCharsets.US_ASCII);
    private static final byte FROM_SERVER = 1;
    private static final byte FROM_DONOR = 2;

    /**
     * By HKDF (RFC 5869) over SHA-256.
     *
     * @param server what the server has drawn
     * @param donor what the donor has drawn
     */
    public static FrameKeys of(byte[] server, byte[] donor) {
        if (server.length != SHARE || donor.length != SHARE) {
            throw new IllegalArgumentException("shares have " + SHARE + " bytes");
        }
        try {
            return new FrameKeys(
                    new FrameTags(key(server, donor, "server to donor"), FROM_SERVER),
                    new FrameTags(key(server, donor, "donor to server"), FROM_DONOR));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no AES or HKDF", e);
        }
    }

    private static byte[] key(byte[] server, byte[] donor, String way) throws GeneralSecurityException {
        return KDF.getInstance("HKDF-SHA256")
                .deriveData(HKDFParameterSpec.ofExtract()
                        .addIKM(server)
                        .addIKM(donor)
                        .addSalt(SALT)
                        .thenExpand(way.getBytes(StandardCharsets.US_ASCII), FrameTags.KEY_LENGTH));
    }
}
