package io.leapnbd.tools.cli;

import java.util.ArrayList;
import java.util.List;

/** A table in plain text: the first column flush left, the others flush right, two spaces between. For one thread. */
public final class Table {

    private final List<List<String>> rows = new ArrayList<>();

    /** Starts with a heading. */
    public Table(String... headings) {
        rows.add(List.of(headings));
    }

    /** Adds a row, of as many cells as there are headings. */
    public Table row(String... cells) {
        if (cells.length != rows.getFirst().size()) {
            throw new IllegalArgumentException(
                    cells.length + " cells for " + rows.getFirst().size() + " headings");
        }
        rows.add(List.of(cells));
        return this;
    }

    /** Whether there is nothing but the heading. */
    public boolean isEmpty() {
        return rows.size() == 1;
    }

    /** Every row as a line with a line feed. */
    @Override
    public String toString() {
        int columns = rows.getFirst().size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int c = 0; c < columns; c++) {
                widths[c] = Math.max(widths[c], length(row.get(c)));
            }
        }
        StringBuilder out = new StringBuilder();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < columns; c++) {
                String cell = row.get(c);
                String pad = " ".repeat(widths[c] - length(cell));
                line.append(c == 0 ? cell + pad : "  " + pad + cell);
            }
            out.append(line.toString().stripTrailing()).append('\n');
        }
        return out.toString();
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }
}
