package io.leapnbd.tools.reproduce;

import java.util.Arrays;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** What of the paper is done again; in the order of the page. */
enum Part {
    /** How long single touches take. */
    FIGURE_7("figure-7", "Figure 7: how long a touch takes"),
    /** Prefetch policies compared. */
    TABLE_2("table-2", "Table 2: prefetch policies"),
    /** Programs with half of their memory. */
    FIGURE_9("figure-9", "Figure 9: programs with half of their memory"),
    /** Smaller and smaller caches. */
    FIGURE_10("figure-10", "Figure 10: how large the cache has to be");

    private final String label;
    private final String title;

    Part(String label, String title) {
        this.label = label;
        this.title = title;
    }

    /** The name on the command line, which is the section's anchor too. */
    String label() {
        return label;
    }

    String title() {
        return title;
    }

    static String labels() {
        return Arrays.stream(values()).map(Part::label).collect(Collectors.joining(", "));
    }

    /** Reads one for picocli. */
    static final class Converter implements ITypeConverter<Part> {
        Converter() {}

        @Override
        public Part convert(String text) {
            return Arrays.stream(values())
                    .filter(part -> part.label.equals(text))
                    .findFirst()
                    .orElseThrow(() ->
                            new TypeConversionException("there is no part \"" + text + "\"; there are " + labels()));
        }
    }
}
