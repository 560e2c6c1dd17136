package io.leapnbd.donor.tls;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Values in the distinguished encoding rules of ASN.1 (ITU-T X.690), as far as a certificate of one shape needs them. */
final class Der {

    /** From here on a certificate's times have four digits for the year (RFC 5280, 4.1.2.5). */
    private static final Instant LONG_TIMES = Instant.parse("2050-01-01T00:00:00Z");

    private static final DateTimeFormatter SHORT = DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'");
    private static final DateTimeFormatter LONG = DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'");

    private Der() {}

    static byte[] sequence(byte[]... parts) {
        return element(0x30, parts);
    }

    static byte[] set(byte[]... parts) {
        return element(0x31, parts);
    }

    static byte[] integer(BigInteger value) {
        return element(0x02, value.toByteArray());
    }

    static byte[] integer(long value) {
        return integer(BigInteger.valueOf(value));
    }

    static byte[] yes() {
        return element(0x01, new byte[] {(byte) 0xff});
    }

    static byte[] octets(byte[]... parts) {
        return element(0x04, parts);
    }

    /** Whole bytes. */
    static byte[] bits(byte[] value) {
        return element(0x03, new byte[] {0}, value);
    }

    /** One byte, of which the highest bits count. */
    static byte[] flags(int value, int unused) {
        return element(0x03, new byte[] {(byte) unused, (byte) value});
    }

    static byte[] text(String value) {
        return element(0x0c, value.getBytes(StandardCharsets.UTF_8));
    }

    static byte[] time(Instant value) {
        boolean isLong = !value.isBefore(LONG_TIMES);
        String digits = (isLong ? LONG : SHORT).format(value.atOffset(ZoneOffset.UTC));
        return element(isLong ? 0x18 : 0x17, digits.getBytes(StandardCharsets.US_ASCII));
    }

    /** An object identifier, as people write it. */
    static byte[] oid(String dotted) {
        String[] parts = dotted.split("\\.", -1);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(Integer.parseInt(parts[0]) * 40 + Integer.parseInt(parts[1]));
        for (int i = 2; i < parts.length; i++) {
            int value = Integer.parseInt(parts[i]);
            for (int shift = 28; shift > 0; shift -= 7) {
                if (value >>> shift != 0) {
                    out.write(0x80 | (value >>> shift & 0x7f));
                }
            }
            out.write(value & 0x7f);
        }
        return element(0x06, out.toByteArray());
    }

    /** With a tag of its context around it. */
    static byte[] tagged(int number, byte[]... parts) {
        return element(0xa0 + number, parts);
    }

    /** With a tag of its context instead of its own. */
    static byte[] implicit(int number, byte[] content) {
        return element(0x80 + number, content);
    }

    private static byte[] element(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 6);
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else {
            byte[] bytes = BigInteger.valueOf(length).toByteArray();
            int from = bytes[0] == 0 ? 1 : 0;
            out.write(0x80 | bytes.length - from);
            out.write(bytes, from, bytes.length - from);
        }
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
