package io.leapnbd.tools.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A value of a JSON document (RFC 8259) that somebody else wrote. Whoever asks for what is not there, or is of another kind, gets what he names instead, so that
 * a document with surprises in it needs no care. Immutable.
 *
 * @param value a {@code Map} of such values by name, a {@code List} of them, a {@code String}, a {@code Double}, a {@code Long}, a {@code Boolean}, or null
 */
public record JsonValue(@Nullable Object value) {

    /** What is not there. */
    public static final JsonValue NOTHING = new JsonValue(null);

    private static final int DEEPEST = 32;

    /**
     * Reads a document.
     *
     * @throws IllegalArgumentException if it is none, or nested more than 32 deep; the message says where
     */
    public static JsonValue parse(String text) {
        Reader reader = new Reader(text);
        JsonValue read = reader.value(0);
        reader.space();
        if (reader.at < text.length()) {
            throw reader.wrong("the end");
        }
        return read;
    }

    /** A member of an object. */
    public JsonValue get(String name) {
        return value instanceof Map<?, ?> members && members.get(name) instanceof JsonValue member ? member : NOTHING;
    }

    /** The members of an object, in its order; none if it is none. */
    public Map<String, JsonValue> members() {
        Map<String, JsonValue> members = new LinkedHashMap<>();
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, member) -> {
                if (name instanceof String text && member instanceof JsonValue read) {
                    members.put(text, read);
                }
            });
        }
        return members;
    }

    /** The values of an array; none if it is none. */
    public List<JsonValue> items() {
        List<JsonValue> items = new ArrayList<>();
        if (value instanceof List<?> list) {
            for (Object item : list) {
                if (item instanceof JsonValue read) {
                    items.add(read);
                }
            }
        }
        return items;
    }

    /** A string. */
    public String text(String otherwise) {
        return value instanceof String text ? text : otherwise;
    }

    /** A whole number, or a string that is one, as 64 bits are written for JavaScript's sake. */
    public long number(long otherwise) {
        if (value instanceof Long number) {
            return number;
        }
        try {
            return value instanceof String text ? Long.parseLong(text) : otherwise;
        } catch (NumberFormatException _) {
            return otherwise;
        }
    }

    /** Any number. */
    public double decimal(double otherwise) {
        return value instanceof Number number ? number.doubleValue() : otherwise;
    }

    /** Whether it is {@code true}. */
    public boolean isTrue() {
        return Boolean.TRUE.equals(value);
    }

    /** Whether there is anything. */
    public boolean isThere() {
        return value != null;
    }

    private static final class Reader {

        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        JsonValue value(int depth) {
            if (depth > DEEPEST) {
                throw wrong("something less deep");
            }
            space();
            return switch (peek()) {
                case '{' -> object(depth);
                case '[' -> array(depth);
                case '"' -> new JsonValue(string());
                case 't' -> word("true", new JsonValue(true));
                case 'f' -> word("false", new JsonValue(false));
                case 'n' -> word("null", NOTHING);
                default -> number();
            };
        }

        private JsonValue object(int depth) {
            Map<String, JsonValue> members = new LinkedHashMap<>();
            at++;
            space();
            if (peek() == '}') {
                at++;
                return new JsonValue(members);
            }
            while (true) {
                space();
                String name = string();
                space();
                expect(':');
                members.put(name, value(depth + 1));
                if (!more('}')) {
                    return new JsonValue(members);
                }
            }
        }

        private JsonValue array(int depth) {
            List<JsonValue> items = new ArrayList<>();
            at++;
            space();
            if (peek() == ']') {
                at++;
                return new JsonValue(items);
            }
            while (true) {
                items.add(value(depth + 1));
                if (!more(']')) {
                    return new JsonValue(items);
                }
            }
        }

        private boolean more(char end) {
            space();
            if (peek() == ',') {
                at++;
                return true;
            }
            expect(end);
            return false;
        }

        private String string() {
            expect('"');
            StringBuilder out = new StringBuilder();
            while (true) {
                char c = peek();
                at++;
                if (c == '"') {
                    return out.toString();
                }
                if (c < ' ') {
                    at--;
                    throw wrong("a character of a string");
                }
                out.append(c == '\\' ? escaped() : c);
            }
        }

        private char escaped() {
            char c = peek();
            at++;
            return switch (c) {
                case '"', '\\', '/' -> c;
                case 'b' -> '\b';
                case 'f' -> '\f';
                case 'n' -> '\n';
                case 'r' -> '\r';
                case 't' -> '\t';
                case 'u' -> unit();
                default -> {
                    at--;
                    throw wrong("an escape");
                }
            };
        }

        private char unit() {
            int unit = 0;
            for (int i = 0; i < 4; i++) {
                int digit = Character.digit(peek(), 16);
                if (digit < 0) {
                    throw wrong("a hexadecimal digit");
                }
                unit = unit << 4 | digit;
                at++;
            }
            return (char) unit;
        }

        private JsonValue number() {
            int begin = at;
            while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            String number = text.substring(begin, at);
            try {
                return number.matches("-?\\d{1,18}")
                        ? new JsonValue(Long.parseLong(number))
                        : new JsonValue(Double.parseDouble(number));
            } catch (NumberFormatException _) {
                at = begin;
                throw wrong("a value");
            }
        }

        private JsonValue word(String word, JsonValue meant) {
            if (!text.startsWith(word, at)) {
                throw wrong("a value");
            }
            at += word.length();
            return meant;
        }

        private void expect(char c) {
            if (peek() != c) {
                throw wrong("'" + c + "'");
            }
            at++;
        }

        private char peek() {
            if (at >= text.length()) {
                throw wrong("more");
            }
            return text.charAt(at);
        }

        private void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private IllegalArgumentException wrong(String expected) {
            return new IllegalArgumentException("no JSON: " + expected + " is missing at character " + at);
        }
    }
}
