package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.chart.Markup;
import java.util.List;

/** Pieces of HTML. Every text is escaped here, and nowhere else. For one thread. */
final class Html {

    private static final String PUBLISHED = "paper";

    private final StringBuilder out = new StringBuilder();

    /** A paragraph, or another element of one text. */
    Html element(String tag, String text) {
        out.append('<').append(tag).append('>').append(Markup.escape(text));
        out.append("</").append(tag).append(">\n");
        return this;
    }

    /** An element of a class. */
    Html element(String tag, String style, String text) {
        out.append('<')
                .append(tag)
                .append(" class=\"")
                .append(Markup.escape(style))
                .append("\">");
        out.append(Markup.escape(text)).append("</").append(tag).append(">\n");
        return this;
    }

    /** A list of sentences. */
    Html list(List<String> sentences) {
        out.append("<ul>\n");
        sentences.forEach(sentence -> element("li", sentence));
        out.append("</ul>\n");
        return this;
    }

    /** What is HTML already. */
    Html raw(String html) {
        out.append(html);
        return this;
    }

    /** A table. Columns whose heading begins with "paper" look like what they are. */
    Html table(List<String> headings, List<List<String>> rows) {
        out.append("<div class=\"wide\"><table>\n<tr>");
        headings.forEach(heading -> cell("th", heading, heading));
        out.append("</tr>\n");
        for (List<String> row : rows) {
            out.append("<tr>");
            for (int i = 0; i < row.size(); i++) {
                cell("td", headings.get(i), row.get(i));
            }
            out.append("</tr>\n");
        }
        out.append("</table></div>\n");
        return this;
    }

    private void cell(String tag, String heading, String text) {
        out.append('<').append(tag).append(heading.startsWith(PUBLISHED) ? " class=\"paper\">" : ">");
        out.append(Markup.escape(text)).append("</").append(tag).append('>');
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
