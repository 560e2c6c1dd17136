package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.LinkProtection;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The values of {@code --link-security}. */
public final class ProtectionConverter implements ITypeConverter<LinkProtection> {

    /** For picocli. */
    public ProtectionConverter() {}

    @Override
    public LinkProtection convert(String value) {
        for (LinkProtection one : LinkProtection.values()) {
            if (one.label().equals(value)) {
                return one;
            }
        }
        throw new TypeConversionException("'" + value + "' is none; say tls or auth");
    }
}
