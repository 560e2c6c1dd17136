package io.leapnbd.nbd;

/** Makes text from elsewhere fit to be shown to people, on one line, by a terminal that obeys what it prints. */
public final class Printable {

    private Printable() {}

    /** The text with control, format and separator characters, and lone surrogates, as {@code \\uXXXX}. */
    public static String of(String text) {
        if (text.codePoints().noneMatch(Printable::isHidden)) {
            return text;
        }
        StringBuilder shown = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(point -> {
            if (isHidden(point)) {
                shown.append(Character.isBmpCodePoint(point) ? "\\u%04x".formatted(point) : "\\u{%x}".formatted(point));
            } else {
                shown.appendCodePoint(point);
            }
        });
        return shown.toString();
    }

    private static boolean isHidden(int point) {
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }
}
