package io.leapnbd.tools.cli;

import java.util.Locale;

/**
 * Writes JSON (RFC 8259), indented by two spaces. Calls must nest as the document does; that is the caller's to get right.
 * For one thread.
 */
public final class Json {

    private final StringBuilder out = new StringBuilder();
    private int depth;
    private boolean first = true;

    /** Opens an object as the document, or as the next value of an array. */
    public Json object() {
        separate();
        return open('{');
    }

    /** Opens an object as a member. */
    public Json object(String name) {
        key(name);
        return open('{');
    }

    /** Opens an array as the document, or as the next value of an array. */
    public Json array() {
        separate();
        return open('[');
    }

    /** Opens an array as a member. */
    public Json array(String name) {
        key(name);
        return open('[');
    }

    /** Closes the innermost object. */
    public Json endObject() {
        return close('}');
    }

    /** Closes the innermost array. */
    public Json endArray() {
        return close(']');
    }

    /** A member that is a string. */
    public Json put(String name, String value) {
        key(name);
        string(value);
        return this;
    }

    /** A member that is a whole number. */
    public Json put(String name, long value) {
        key(name);
        out.append(value);
        return this;
    }

    /** A member that is a number, with three places after the point. */
    public Json put(String name, double value) {
        key(name);
        number(value);
        return this;
    }

    /** A member that is true or false. */
    public Json put(String name, boolean value) {
        key(name);
        out.append(value);
        return this;
    }

    /** A member that has no value. */
    public Json putNull(String name) {
        key(name);
        out.append("null");
        return this;
    }

    /** An array's next value, a string. */
    public Json add(String value) {
        separate();
        string(value);
        return this;
    }

    /** An array's next value, a whole number. */
    public Json add(long value) {
        separate();
        out.append(value);
        return this;
    }

    private Json open(char bracket) {
        out.append(bracket);
        depth++;
        first = true;
        return this;
    }

    private Json close(char bracket) {
        depth--;
        if (!first) {
            newLine();
        }
        out.append(bracket);
        first = false;
        return this;
    }

    private void key(String name) {
        separate();
        string(name);
        out.append(": ");
    }

    private void separate() {
        if (!first) {
            out.append(',');
        }
        first = false;
        if (depth > 0) {
            newLine();
        }
    }

    private void newLine() {
        out.append('\n').repeat("  ", depth);
    }

    private void number(double value) {
        if (Double.isFinite(value)) {
            out.append(String.format(Locale.ROOT, "%.3f", value));
        } else {
            out.append("null");
        }
    }

    private void string(String value) {
        quote(out, value);
    }

    /** Adds a text as a JSON string, in quotes. */
    static void quote(StringBuilder out, String value) {
        out.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (Character.isISOControl(c) || Character.isSurrogate(c)) {
                        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    /** The document so far, without a final line feed. */
    @Override
    public String toString() {
        return out.toString();
    }
}
