package io.leapnbd.tools.cli;

import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A number of bytes, as people write it: {@code 4096}, {@code 512M}, {@code 2G}; the units K, M, G and T are binary.
 *
 * @param bytes zero or more
 */
public record Size(long bytes) {

    private static final String UNITS = "KMGT";

    /** Reads sizes for picocli. */
    public static final class Converter implements ITypeConverter<Size> {
        @Override
        public Size convert(String text) {
            return parse(text);
        }
    }

    /**
     * Reads a size.
     *
     * @throws TypeConversionException if it is none; the message says what would be one
     */
    public static Size parse(String text) {
        String digits = text.strip().toUpperCase(Locale.ROOT);
        if (digits.endsWith("IB")) {
            digits = digits.substring(0, digits.length() - 2);
        } else if (digits.endsWith("B")) {
            digits = digits.substring(0, digits.length() - 1);
        }
        int unit = digits.isEmpty() ? -1 : UNITS.indexOf(digits.charAt(digits.length() - 1));
        if (unit >= 0) {
            digits = digits.substring(0, digits.length() - 1);
        }
        try {
            if (digits.isEmpty() || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
                throw notASize(text);
            }
            return new Size(Math.multiplyExact(Long.parseLong(digits), 1L << (10 * (unit + 1))));
        } catch (NumberFormatException | ArithmeticException e) {
            throw new TypeConversionException("'" + text + "' is more than any machine has; give less than 8388608T");
        }
    }

    private static TypeConversionException notASize(String text) {
        return new TypeConversionException("'" + text + "' is not a size; write it like 512M or 2G");
    }

    /** The shortest exact way to write it for {@link #parse}: {@code 512M}, not {@code 536870912}. */
    @Override
    public String toString() {
        return format(bytes);
    }

    /** The shortest exact way to write a number of bytes. */
    public static String format(long bytes) {
        int unit = -1;
        long rest = bytes;
        while (unit + 1 < UNITS.length() && rest != 0 && (rest & 1023) == 0) {
            rest >>= 10;
            unit++;
        }
        return unit < 0 ? Long.toString(rest) : rest + UNITS.substring(unit, unit + 1);
    }

    /** About how much, in three digits or fewer for people: {@code 1.5 GiB}, {@code 64 MiB}. */
    public static String approximate(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = -1;
        while (unit + 1 < UNITS.length() && value >= 1023.95) {
            value /= 1024;
            unit++;
        }
        double tenths = Math.rint(value * 10) / 10;
        String number = value >= 99.95 || tenths == Math.rint(tenths)
                ? Long.toString(Math.round(value))
                : Double.toString(tenths);
        return number + " " + UNITS.charAt(unit) + "iB";
    }
}
