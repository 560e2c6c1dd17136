package io.leapnbd.tools.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;

/** Settings as the file has them. */
final class ConfigText {

    /** Values to begin with, by what an option calls its value. */
    private static final Map<String, String> BY_LABEL = Map.ofEntries(
            Map.entry("SIZE", "8G"),
            Map.entry("TIME", "1s"),
            Map.entry("N", "2"),
            Map.entry("LIST", "10.0.0.2,10.0.0.3"),
            Map.entry("HOST:PORT", "127.0.0.1:10809"),
            Map.entry("FILE", "/etc/leap-nbd/file"),
            Map.entry("FOLDER", "/etc/leap-nbd/folder"),
            Map.entry("PATH", "/run/leap-nbd/swap.sock"),
            Map.entry("NAME", "name"),
            Map.entry("ETCD", "etcd://10.0.0.2:2379,10.0.0.3:2379/lab"),
            Map.entry("LEVEL", "info"),
            Map.entry("FORMAT", "text"),
            Map.entry("HOW", "on"),
            Map.entry("FILE:SIZE", "/var/lib/leap-nbd/spill:16G"),
            Map.entry("URI", "/run/leap-nbd/swap.sock"),
            Map.entry("/dev/nbdN", "/dev/nbd0"),
            Map.entry("0..9", "3"));

    /** As above, where the option has to be known. */
    private static final Map<String, String> BY_KEY = Map.of(
            "tls", "require",
            "http", "none",
            "keep-free", "2G",
            "unix-mode", "0660",
            "pool", "/etc/leap-nbd/pool",
            "state-dir", "/run/leap-nbd",
            "cache-limit", "64M",
            "member-timeout", "1s");

    private ConfigText() {}

    /** A line of the file, without its end. */
    static String line(String key, ArgSpec argument, List<String> texts) {
        return key + " = " + value(argument, texts);
    }

    /** A value as TOML has it. */
    static String value(ArgSpec argument, List<String> texts) {
        if (Keys.isFlag(argument)) {
            return texts.getFirst();
        }
        List<String> parts = Keys.isList(argument) ? List.of(texts.getFirst().split(",")) : texts;
        if (Keys.isList(argument) || Keys.isRepeated(argument)) {
            List<String> quoted = new ArrayList<>();
            parts.forEach(part -> quoted.add(quoted(part.strip())));
            return "[" + String.join(", ", quoted) + "]";
        }
        String text = texts.getFirst();
        return text.matches("0|[1-9]\\d{0,17}") ? text : quoted(text);
    }

    /** What a key has unless somebody says otherwise; null if that depends. */
    static @Nullable List<String> usual(ArgSpec argument) {
        if (argument.defaultValue() != null) {
            return List.of(argument.defaultValue());
        }
        return Keys.isFlag(argument) ? List.of("false") : null;
    }

    /** What a key may have, to show how it is written. */
    static List<String> example(String key, ArgSpec argument) {
        List<String> usual = usual(argument);
        if (usual != null) {
            return usual;
        }
        String text = BY_KEY.getOrDefault(key, BY_LABEL.get(argument.paramLabel()));
        if (text == null) {
            throw new IllegalStateException("no example of " + key + " = " + argument.paramLabel());
        }
        return List.of(text);
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c == 0x7f) {
                out.append(String.format(java.util.Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
