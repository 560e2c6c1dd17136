package io.leapnbd.tools.serve;

import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.tools.cli.Size;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** {@code --spill FILE:SIZE}. */
final class SpillChoice implements ITypeConverter<SpillSettings> {

    @Override
    public SpillSettings convert(String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 1) {
            throw new TypeConversionException("'" + text + "' is not FILE:SIZE, like /var/lib/leap-nbd/spill:16G");
        }
        try {
            return new SpillSettings(
                    Path.of(text.substring(0, colon)),
                    Size.parse(text.substring(colon + 1)).bytes());
        } catch (InvalidPathException e) {
            throw new TypeConversionException("'" + text.substring(0, colon) + "' is no path");
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(String.valueOf(e.getMessage()).replaceFirst("^--spill: ", ""));
        }
    }
}
