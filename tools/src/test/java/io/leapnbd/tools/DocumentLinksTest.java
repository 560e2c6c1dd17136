package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What documents point to is there. */
class DocumentLinksTest {

    private static final Path HOME = Path.of("..").toAbsolutePath().normalize();

    /** A link to a file, without what follows {@code #}. */
    private static final Pattern LINK = Pattern.compile("]\\(([^)#\\s:]+)(?:#[^)]*)?\\)");

    /** A document that is named in the text. One that is made when something runs is below {@code target}. */
    private static final Pattern DOCUMENT = Pattern.compile("`((?:docs|donor)/[\\w/.-]+|[A-Z]+\\.md)`");

    /** A class, or one of its methods. */
    private static final Pattern CLASS = Pattern.compile("`([A-Z]\\w*[a-z]\\w*)(?:\\.([a-z]\\w*))?`");

    private static Stream<Path> documents() throws IOException {
        List<Path> found = new ArrayList<>();
        for (String folder : List.of("", "docs", "donor", "prefetch", "tools")) {
            try (Stream<Path> files = Files.walk(HOME.resolve(folder), folder.isEmpty() ? 1 : 6)) {
                files.filter(file -> file.toString().endsWith(".md")
                                && !file.toString().contains("/target/"))
                        .forEach(found::add);
            }
        }
        assertThat(found).hasSizeGreaterThan(20);
        return found.stream();
    }

    /** What of a pattern's first group is not there, by document. */
    private static List<String> missing(Pattern pattern, BiPredicate<Path, String> isThere) throws IOException {
        List<String> missing = new ArrayList<>();
        int looked = 0;
        for (Path document : documents().toList()) {
            Matcher named = pattern.matcher(Files.readString(document));
            while (named.find()) {
                looked++;
                if (!isThere.test(document, named.group(1))) {
                    missing.add(HOME.relativize(document) + ": " + named.group(1));
                }
            }
        }
        assertThat(looked).as("the pattern finds something").isPositive();
        return missing;
    }

    @Test
    void linksLeadToFiles() throws IOException {
        assertThat(missing(LINK, (document, link) -> Files.exists(document.resolveSibling(link))))
                .isEmpty();
    }

    @Test
    void documentsThatAreNamedAreThere() throws IOException {
        assertThat(missing(
                        DOCUMENT,
                        (document, path) ->
                                Files.exists(HOME.resolve(path)) || Files.exists(document.resolveSibling(path))))
                .isEmpty();
    }

    @Test
    void howItWorksNamesClassesAndMethodsThatThereAre() throws IOException {
        Map<String, Path> sources = sources();
        List<String> missing = new ArrayList<>();
        Matcher named = CLASS.matcher(Files.readString(HOME.resolve("docs/how-it-works.md")));
        int methods = 0;
        while (named.find()) {
            Path source = sources.get(named.group(1));
            String method = named.group(2);
            if (source == null) {
                missing.add(named.group());
            } else if (method != null) {
                methods++;
                if (!Pattern.compile("\\b" + method + "\\(")
                        .matcher(Files.readString(source))
                        .find()) {
                    missing.add(named.group());
                }
            }
        }
        assertThat(methods).isGreaterThan(10);
        assertThat(missing).isEmpty();
    }

    private static Map<String, Path> sources() throws IOException {
        Map<String, Path> sources = new TreeMap<>();
        for (String module : List.of("nbd-server", "leap-bypass", "prefetch", "donor", "tools")) {
            for (String kind : List.of("main", "test")) {
                try (Stream<Path> files = Files.walk(HOME.resolve(module).resolve("src/" + kind + "/java"))) {
                    sources.putAll(files.filter(file -> file.toString().endsWith(".java"))
                            .collect(Collectors.toMap(
                                    file -> file.getFileName().toString().replace(".java", ""),
                                    file -> file,
                                    (one, other) -> one)));
                }
            }
        }
        return sources;
    }
}
