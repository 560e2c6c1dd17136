import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;

/**
 * Prints what is in a package (CycloneDX 1.5, JSON): each jar with version, licence and SHA-256, and the Java runtime. A jar whose licence
 * is not known here is an error, so that none comes in unnoticed. Arguments: folder of jars, folder of the runtime, version, seconds since
 * 1970 that stand for now.
 */
final class Sbom {

    /** Of what begins with a name; the first that fits. */
    private static final List<Map.Entry<String, String[]>> KNOWN = List.of(
            known("HdrHistogram-", "org.hdrhistogram", "BSD-2-Clause"),
            known("disni-", "com.ibm.disni", "Apache-2.0"),
            known("jline-", "org.jline", "BSD-3-Clause"),
            known("jspecify-", "org.jspecify", "Apache-2.0"),
            known("logback-", "ch.qos.logback", "EPL-1.0 OR LGPL-2.1-only"),
            known("netty-tcnative-", "io.netty", "Apache-2.0"),
            known("netty-", "io.netty", "Apache-2.0"),
            known("picocli-", "info.picocli", "Apache-2.0"),
            known("progressbar-", "me.tongfei", "MIT"),
            known("prometheus-metrics-", "io.prometheus", "Apache-2.0"),
            known("slf4j-", "org.slf4j", "MIT"),
            known("bc", "org.bouncycastle", "MIT"),
            known("tomlj-", "org.tomlj", "Apache-2.0"),
            known("antlr4-", "org.antlr", "BSD-3-Clause"),
            known("jsr305-", "com.google.code.findbugs", "Apache-2.0"),
            known("checker-qual-", "org.checkerframework", "MIT"),
            known("lz4-java-", "at.yawk.lz4", "Apache-2.0"),
            known("donor-", "io.leapnbd", "Apache-2.0"),
            known("leap-bypass-", "io.leapnbd", "Apache-2.0"),
            known("nbd-server-", "io.leapnbd", "Apache-2.0"),
            known("prefetch-", "io.leapnbd", "Apache-2.0"),
            known("tools-", "io.leapnbd", "Apache-2.0"));

    private Sbom() {}

    private static Map.Entry<String, String[]> known(String prefix, String group, String licence) {
        return Map.entry(prefix, new String[] {group, licence});
    }

    /** Prints it. */
    public static void main(String[] arguments) throws IOException, NoSuchAlgorithmException {
        String version = arguments[2];
        List<String> components = new ArrayList<>();
        List<Path> jars;
        try (Stream<Path> files = Files.list(Path.of(arguments[0]))) {
            jars = files.filter(file -> file.toString().endsWith(".jar"))
                    .sorted(Comparator.comparing(file -> file.getFileName().toString()))
                    .toList();
        }
        for (Path jar : jars) {
            components.add(component(jar));
        }
        Path runtime = Path.of(arguments[1]);
        components.add(runtime(runtime));
        // The same package has the same number.
        UUID serial = UUID.nameUUIDFromBytes(String.join(version, components).getBytes(StandardCharsets.UTF_8));
        System.out.print("""
                {
                  "bomFormat": "CycloneDX",
                  "specVersion": "1.5",
                  "serialNumber": "urn:uuid:%s",
                  "version": 1,
                  "metadata": {
                    "timestamp": "%s",
                    "component": {"type": "application", "name": "leap-nbd", "version": "%s", "licenses": [{"expression": "Apache-2.0"}]}
                  },
                  "components": [
                %s
                  ]
                }
                """.formatted(
                serial, Instant.ofEpochSecond(Long.parseLong(arguments[3])), version, String.join(",\n", components)));
    }

    private static String component(Path jar) throws IOException, NoSuchAlgorithmException {
        String file = jar.getFileName().toString();
        String[] about = KNOWN.stream()
                .filter(known -> file.startsWith(known.getKey()))
                .findFirst()
                .orElseThrow(() -> new IOException("the licence of " + file + " is not known; say it in tools/packaging/Sbom.java"))
                .getValue();
        String name = file.replaceFirst("-\\d.*", "");
        String rest = file.substring(name.length() + 1, file.length() - ".jar".length());
        String classifier = rest.contains("-linux-") ? rest.substring(rest.indexOf("-linux-") + 1) : "";
        String version = classifier.isEmpty() ? rest : rest.substring(0, rest.length() - classifier.length() - 1);
        Properties maven = maven(jar);
        String group = maven.getProperty("groupId", about[0]);
        String purl = "pkg:maven/" + group + "/" + name + "@" + version
                + (classifier.isEmpty() ? "" : "?classifier=" + classifier);
        return line(group, name, version, about[1], purl, sha256(jar));
    }

    private static String runtime(Path runtime) throws IOException, NoSuchAlgorithmException {
        Properties release = new Properties();
        try (InputStream in = Files.newInputStream(runtime.resolve("release"))) {
            release.load(in);
        }
        String version = release.getProperty("JAVA_RUNTIME_VERSION", release.getProperty("JAVA_VERSION", "25"))
                .replace("\"", "");
        return line(
                "openjdk",
                "java-runtime",
                version,
                "GPL-2.0-only WITH Classpath-exception-2.0",
                "pkg:generic/openjdk@" + version.replace("+", "%2B"),
                sha256(runtime.resolve("lib/modules")));
    }

    private static String line(String group, String name, String version, String licence, String purl, String hash) {
        return ("    {\"type\": \"library\", \"group\": \"%s\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"%s\","
                        + " \"hashes\": [{\"alg\": \"SHA-256\", \"content\": \"%s\"}], \"licenses\": [{\"expression\": \"%s\"}]}")
                .formatted(group, name, version, purl, hash, licence);
    }

    /** What Maven wrote into a jar of its own making; empty for others. */
    private static Properties maven(Path jar) throws IOException {
        Properties properties = new Properties();
        try (JarFile file = new JarFile(jar.toFile())) {
            List<? extends ZipEntry> entries = file.stream()
                    .filter(entry -> entry.getName().matches("META-INF/maven/.*/pom\\.properties"))
                    .toList();
            if (entries.size() == 1) {
                try (InputStream in = file.getInputStream(entries.getFirst())) {
                    properties.load(in);
                }
            }
        }
        return properties;
    }

    private static String sha256(Path file) throws IOException, NoSuchAlgorithmException {
        return HexFormat.of()
                .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }
}
