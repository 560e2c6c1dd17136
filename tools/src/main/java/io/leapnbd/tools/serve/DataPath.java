package io.leapnbd.tools.serve;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The way of a request from the NBD connection to the donors. */
public enum DataPath {
    /** Posted on the loop that received it, in the same turn. */
    BYPASS("bypass"),
    /** Through a block layer's queue. */
    QUEUED("queued");

    private final String label;

    DataPath(String label) {
        this.label = label;
    }

    /** Its name on the command line. */
    public String label() {
        return label;
    }

    static final class Converter implements ITypeConverter<DataPath> {
        @Override
        public DataPath convert(String text) {
            for (DataPath path : values()) {
                if (path.label.equals(text)) {
                    return path;
                }
            }
            throw new TypeConversionException("there is no path \"" + text + "\"; there are bypass and queued");
        }
    }
}
