package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PrefetchPolicy;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Which policies to compare, as people write it: {@code all}, names, or jars, with commas between.
 *
 * @param policies at least one, none twice
 */
record PolicyChoice(List<ReplayPolicy> policies) {

    /** Reads choices for picocli. */
    static final class Converter implements ITypeConverter<PolicyChoice> {
        @Override
        public PolicyChoice convert(String text) {
            return parse(text);
        }
    }

    static PolicyChoice all() {
        return new PolicyChoice(
                Arrays.stream(PrefetchPolicy.values()).map(ReplayPolicy::of).toList());
    }

    static PolicyChoice parse(String text) {
        Map<String, ReplayPolicy> chosen = new LinkedHashMap<>();
        for (String part : text.split(",", -1)) {
            for (ReplayPolicy policy : named(part.strip())) {
                chosen.putIfAbsent(policy.label(), policy);
            }
        }
        return new PolicyChoice(List.copyOf(chosen.values()));
    }

    private static List<ReplayPolicy> named(String text) {
        if (text.equals("all")) {
            return all().policies();
        }
        if (text.endsWith(".jar") || text.contains(".jar#")) {
            return PolicyJar.policies(text);
        }
        try {
            return List.of(ReplayPolicy.of(PrefetchPolicy.of(text)));
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage() + "; or say all, FILE.jar or FILE.jar#NAME");
        }
    }
}
