package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PrefetchPolicy;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Which policies to compare, as people write it: {@code all}, or names with commas between.
 *
 * @param policies at least one, none twice
 */
record PolicyChoice(List<PrefetchPolicy> policies) {

    /** Reads choices for picocli. */
    static final class Converter implements ITypeConverter<PolicyChoice> {
        @Override
        public PolicyChoice convert(String text) {
            return parse(text);
        }
    }

    static PolicyChoice parse(String text) {
        if (text.equals("all")) {
            return new PolicyChoice(List.of(PrefetchPolicy.values()));
        }
        Set<PrefetchPolicy> chosen = new LinkedHashSet<>();
        for (String label : text.split(",", -1)) {
            try {
                chosen.add(PrefetchPolicy.of(label.strip()));
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage() + "; or say all");
            }
        }
        return new PolicyChoice(List.copyOf(new ArrayList<>(chosen)));
    }
}
