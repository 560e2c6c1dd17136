package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.PrefetcherProvider;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.regex.Pattern;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import picocli.CommandLine.TypeConversionException;

/** Policies of a jar that is not the project's, by {@link PrefetcherProvider}. The jar stays open until the process ends. */
final class PolicyJar {

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,40}");

    private PolicyJar() {}

    /**
     * The policies of {@code FILE.jar}, or the one of {@code FILE.jar#NAME}.
     *
     * @throws TypeConversionException in one sentence, if there is none
     */
    static List<ReplayPolicy> policies(String text) {
        int hash = text.indexOf('#');
        String file = hash < 0 ? text : text.substring(0, hash);
        Map<String, ReplayPolicy> all = load(Path.of(file));
        if (hash < 0) {
            return List.copyOf(all.values());
        }
        String wanted = text.substring(hash + 1);
        ReplayPolicy found = all.get(wanted);
        if (found == null) {
            throw new TypeConversionException(
                    file + " has no policy \"" + wanted + "\"; it has " + String.join(", ", all.keySet()));
        }
        return List.of(found);
    }

    private static Map<String, ReplayPolicy> load(Path jar) {
        requireJar(jar);
        Map<String, ReplayPolicy> found = new LinkedHashMap<>();
        try {
            ClassLoader own = PolicyJar.class.getClassLoader();
            @SuppressWarnings("resource") // Its classes are used until the process ends.
            URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, own);
            for (PrefetcherProvider provider : ServiceLoader.load(PrefetcherProvider.class, loader)) {
                String name = String.valueOf(provider.name());
                requireName(jar, name);
                if (found.put(name, new ReplayPolicy(name, (pages, leap) -> provider.prefetcher(pages))) != null) {
                    throw new TypeConversionException(jar + " has two policies \"" + name + "\"");
                }
            }
        } catch (ServiceConfigurationError | LinkageError e) {
            throw new TypeConversionException(jar + " cannot be used: " + e.getMessage());
        } catch (IOException e) {
            throw new TypeConversionException(jar + " cannot be read: " + e.getMessage());
        }
        if (found.isEmpty()) {
            throw new TypeConversionException(
                    jar + " has no policy: its META-INF/services names no " + PrefetcherProvider.class.getName());
        }
        return found;
    }

    private static void requireJar(Path jar) {
        if (!Files.isRegularFile(jar)) {
            throw new TypeConversionException("there is no file " + jar);
        }
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            if (zip.size() == 0) {
                throw new TypeConversionException(jar + " is empty");
            }
        } catch (ZipException e) {
            throw new TypeConversionException(jar + " is no jar: " + e.getMessage());
        } catch (IOException e) {
            throw new TypeConversionException(jar + " cannot be read: " + e.getMessage());
        }
    }

    private static void requireName(Path jar, String name) {
        if (!NAME.matcher(name).matches()) {
            throw new TypeConversionException(jar
                    + " has a policy whose name is not 1 to 40 letters, digits, dots, hyphens and" + " underscores");
        }
        List<String> own = new ArrayList<>(List.of("all"));
        Arrays.stream(PrefetchPolicy.values()).map(PrefetchPolicy::label).forEach(own::add);
        if (own.contains(name)) {
            throw new TypeConversionException(
                    jar + " has a policy \"" + name + "\", as this project has; give it another name");
        }
    }
}
