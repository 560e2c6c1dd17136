package io.leapnbd.tools.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The files of a page that a browser shows. They are the same for everybody and hold nothing of this process. What it does the page asks for
 * itself, as any other client. All files are read at the start, since a server that is swapped to does not wait for its disk later.
 *
 * @param files by path, like {@code /page/page.css}
 */
public record WebPage(Map<String, Answer> files) {

    /** No page. */
    public static final WebPage NONE = new WebPage(Map.of());

    private static final String FOLDER = "page/";
    private static final List<String> SHARED = List.of(
            "page.css",
            "common.js",
            "charts.js",
            "slabs.js",
            "icon.svg",
            "uPlot.iife.min.js",
            "uPlot.min.css",
            "uPlot-LICENSE.txt");

    /** Copies the map. */
    public WebPage {
        files = Map.copyOf(files);
    }

    /**
     * The page of a role.
     *
     * @param role {@code serve} or {@code donor}: its files are {@code serve.html} and {@code serve.js}
     */
    public static WebPage of(String role) {
        Map<String, Answer> files = new HashMap<>();
        files.put("/", read(role + ".html"));
        files.put("/" + FOLDER + role + ".js", read(role + ".js"));
        for (String name : SHARED) {
            files.put("/" + FOLDER + name, read(name));
        }
        return new WebPage(files);
    }

    private static Answer read(String name) {
        try (InputStream in = WebPage.class.getResourceAsStream(FOLDER + name)) {
            if (in == null) {
                throw new IllegalStateException("this build lacks its file " + FOLDER + name);
            }
            return new Answer(200, type(name), in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String type(String name) {
        String type = switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "html" -> "text/html";
            case "css" -> "text/css";
            case "js" -> "text/javascript";
            case "svg" -> "image/svg+xml";
            default -> "text/plain";
        };
        return type + "; charset=utf-8";
    }
}
