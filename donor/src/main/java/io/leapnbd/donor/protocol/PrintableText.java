package io.leapnbd.donor.protocol;

/**
 * Names that peers choose, made fit for a log or a terminal. For all modules that see the donor's protocol; the NBD server does not, and
 * has a class of its own for it.
 */
public final class PrintableText {

    private PrintableText() {}

    /** The text, with a backslash and the code of each character that is no letter, digit, punctuation or plain space. */
    public static String of(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            if (isPrintable(c)) {
                out.appendCodePoint(c);
            } else {
                out.append(Character.isBmpCodePoint(c) ? "\\u%04x".formatted(c) : "\\u{%x}".formatted(c));
            }
        });
        return out.toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> c != '\\';
        };
    }
}
