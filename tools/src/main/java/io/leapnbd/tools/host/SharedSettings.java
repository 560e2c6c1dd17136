package io.leapnbd.tools.host;

import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.PrivateFolder;
import io.leapnbd.tools.linux.StartTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * The machine's settings that several processes change, and that go back when the last of them lets go. Each change has a holder. The newest
 * holder's value counts; when it lets go, the one before it counts again; when nobody is left, the value from before all of them comes back.
 * A value that somebody else has written meanwhile stays as it is.
 *
 * <p>Two files outlive the processes: {@code sysctl} has the values from before, {@code sysctl-holders} who wants what. A holder that is a
 * process and has died lets go when anybody next changes a setting, or {@linkplain #sweep sweeps}.
 *
 * @param sysctl where the kernel shows its settings
 * @param directory of the two files
 */
public record SharedSettings(Path sysctl, Path directory) {

    private static final String BEFORE = "sysctl";
    private static final String HOLDERS = "sysctl-holders";
    private static final String PROCESS = "process-";
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(10);

    /** This machine's; the folder is {@code /run/leap-nbd}, whoever asks. */
    public static SharedSettings ofThisMachine() {
        return new SharedSettings(HostSetting.SYSCTL, Path.of("/run/leap-nbd"));
    }

    /** The holder of what lasts until this process ends, however it does. */
    public static String thisProcess() {
        long pid = ProcessHandle.current().pid();
        return PROCESS + pid + "-" + StartTime.of(pid).orElse(0L);
    }

    private static boolean isDead(String holder) {
        if (!holder.startsWith(PROCESS)) {
            return false;
        }
        String[] parts = holder.substring(PROCESS.length()).split("-", 2);
        try {
            return parts.length < 2
                    || StartTime.of(Long.parseLong(parts[0]))
                            .filter(start -> start == Long.parseLong(parts[1]))
                            .isEmpty();
        } catch (NumberFormatException e) {
            return true;
        }
    }

    /**
     * Applies the settings that are not met yet, for a holder; returns a line for each that was changed or could not be.
     *
     * @param holder {@link #thisProcess}, or a name that somebody will {@linkplain #release release}
     */
    public List<String> apply(String holder, List<HostSetting> settings) throws IOException {
        List<String> lines = new ArrayList<>();
        if (settings.isEmpty()) {
            return lines;
        }
        try (HostLock _ = lock()) {
            Map<String, String> before = read(BEFORE);
            List<Wish> wishes = wishes();
            lines.addAll(letGo(before, wishes, Wish::isDeads, false));
            for (HostSetting setting : settings) {
                Optional<Long> current = setting.current(sysctl);
                if (current.isEmpty()) {
                    continue;
                }
                long value = setting.isMetBy(current.get()) ? current.get() : setting.wanted();
                if (value != current.get()) {
                    try {
                        KernelFile.write(HostSetting.file(sysctl, setting.name()), Long.toString(value));
                    } catch (IOException e) {
                        lines.add("cannot set " + setting.name() + " = " + setting.wanted() + " (is " + current.get()
                                + "): " + setting.why() + "; run as root, or: sysctl -w " + setting.name() + "="
                                + setting.wanted());
                        continue;
                    }
                    before.putIfAbsent(setting.name(), Long.toString(current.get()));
                    lines.add(
                            "set " + setting.name() + " = " + value + " (was " + current.get() + "): " + setting.why());
                }
                if (before.containsKey(setting.name())) {
                    wishes.removeIf(wish -> wish.holder.equals(holder) && wish.name.equals(setting.name()));
                    wishes.add(new Wish(holder, setting.name(), Long.toString(value)));
                }
            }
            write(before, wishes);
        }
        return lines;
    }

    /** A holder lets go; returns a line for each setting that changes. */
    public List<String> release(String holder) throws IOException {
        return end(wish -> wish.holder.equals(holder) || wish.isDeads(), !holder.startsWith(PROCESS));
    }

    /** Holders that have died let go; returns a line for each setting that changes. */
    public List<String> sweep() throws IOException {
        return end(Wish::isDeads, false);
    }

    private List<String> end(Predicate<Wish> whose, boolean nobodys) throws IOException {
        if (!Files.exists(directory.resolve(BEFORE))) {
            return List.of();
        }
        try (HostLock _ = lock()) {
            Map<String, String> before = read(BEFORE);
            List<Wish> wishes = wishes();
            List<String> lines = letGo(before, wishes, whose, nobodys);
            write(before, wishes);
            return lines;
        }
    }

    /** {@code nobodys}: also what an earlier version has changed, which did not note for whom. */
    private List<String> letGo(Map<String, String> before, List<Wish> wishes, Predicate<Wish> whose, boolean nobodys)
            throws IOException {
        List<String> lines = new ArrayList<>();
        for (Map.Entry<String, String> first : Map.copyOf(before).entrySet()) {
            String name = first.getKey();
            Optional<String> counted = newest(wishes, name);
            boolean left = wishes.removeIf(wish -> wish.name.equals(name) && whose.test(wish));
            Optional<String> counts = newest(wishes, name);
            if (!left && (counts.isPresent() || !nobodys)) {
                continue;
            }
            String wanted = counts.orElse(first.getValue());
            Path file = HostSetting.file(sysctl, name);
            String current = KernelFile.read(file).orElse("");
            if (counted.isPresent() && !current.equals(counted.get())) {
                lines.add(name + " is " + current + ", which somebody else has set; it stays so");
            } else if (!current.equals(wanted)) {
                KernelFile.write(file, wanted);
                lines.add("set " + name + " back to " + wanted);
            }
            if (counts.isEmpty()) {
                before.remove(name);
            }
        }
        return lines;
    }

    private static Optional<String> newest(List<Wish> wishes, String name) {
        return wishes.stream()
                .filter(wish -> wish.name.equals(name))
                .reduce((_, later) -> later)
                .map(Wish::value);
    }

    private HostLock lock() throws IOException {
        Path file = directory.resolve("sysctl.lock");
        return HostLock.take(file, System.nanoTime() + LIMIT)
                .orElseThrow(() -> new IOException("another process of this machine"
                        + HostLock.holder(file).map(pid -> ", " + pid + ",").orElse("")
                        + " changes settings and does not come to an end; they stay as they are"));
    }

    private List<Wish> wishes() throws IOException {
        List<Wish> wishes = new ArrayList<>();
        for (String line : lines(HOLDERS)) {
            int blank = line.indexOf(' ');
            int equals = line.indexOf('=');
            if (blank > 0 && equals > blank) {
                wishes.add(new Wish(
                        line.substring(0, blank), line.substring(blank + 1, equals), line.substring(equals + 1)));
            }
        }
        return wishes;
    }

    private Map<String, String> read(String file) throws IOException {
        Map<String, String> values = new LinkedHashMap<>();
        for (String line : lines(file)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(line.substring(0, equals), line.substring(equals + 1));
            }
        }
        return values;
    }

    private List<String> lines(String file) throws IOException {
        Path path = directory.resolve(file);
        return Files.exists(path) ? Files.readAllLines(path) : List.of();
    }

    private void write(Map<String, String> before, List<Wish> wishes) throws IOException {
        // Holders first: without the values from before nothing of them is believed.
        put(HOLDERS, wishes.stream().map(Wish::line).toList());
        put(
                BEFORE,
                before.entrySet().stream()
                        .map(e -> e.getKey() + "=" + e.getValue())
                        .toList());
    }

    /** Whole or not at all. */
    private void put(String name, List<String> lines) throws IOException {
        Path file = directory.resolve(name);
        if (lines.isEmpty()) {
            Files.deleteIfExists(file);
            return;
        }
        PrivateFolder.require(directory, HostLock.FOLDER_MODE);
        Path draft = directory.resolve("." + name + ".new");
        Files.write(draft, lines);
        Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** What a holder wants a setting to be. */
    private record Wish(String holder, String name, String value) {
        boolean isDeads() {
            return isDead(holder);
        }

        String line() {
            return holder + " " + name + "=" + value;
        }
    }
}
