package io.leapnbd.tools.cli;

/** Makes text that came from elsewhere, like the name of an export, fit for a log or a terminal. */
public final class Printable {

    private Printable() {}

    /** The text in one line, with control characters, and what else has no glyph, written as {@code \}{@code u001b}. */
    public static String of(String text) {
        StringBuilder printable = new StringBuilder(text.length());
        text.codePoints().forEach(point -> {
            if (hasGlyph(point)) {
                printable.appendCodePoint(point);
            } else {
                for (char unit : Character.toChars(point)) {
                    printable.append(String.format("\\u%04x", (int) unit));
                }
            }
        });
        return printable.toString();
    }

    private static boolean hasGlyph(int point) {
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.UNASSIGNED,
                    Character.PRIVATE_USE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
