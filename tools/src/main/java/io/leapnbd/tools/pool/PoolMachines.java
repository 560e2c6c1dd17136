package io.leapnbd.tools.pool;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/**
 * Machines that a pool has made certificates for. A machine's folder is removed once it is copied, so the file {@code machines.txt} in the pool's own folder
 * keeps the names: one a line, in small letters.
 *
 * @param names those of the file; without it, those of folders that are there
 */
record PoolMachines(Set<String> names) {

    /** Of the file. */
    static final String NAME = "machines.txt";

    /** Copies them. */
    PoolMachines {
        names = Set.copyOf(names);
    }

    /**
     * Reads them now.
     *
     * @throws IOException if the file or the folder cannot be read
     */
    static PoolMachines in(Path pool) throws IOException {
        Set<String> names = new TreeSet<>();
        Path file = pool.resolve(NAME);
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                String name = line.strip();
                if (MachineFolder.isHost(name)) {
                    boolean _ = names.add(name);
                }
            }
        }
        if (names.isEmpty()) {
            // Pools that were made earlier have no such file. Later, a folder may be an old one that was moved away.
            try (DirectoryStream<Path> folders = Files.newDirectoryStream(pool, Files::isDirectory)) {
                for (Path folder : folders) {
                    boolean _ = names.add(folder.getFileName().toString());
                }
            }
        }
        return new PoolMachines(names);
    }

    /** With one more. */
    PoolMachines with(String host) {
        Set<String> more = new TreeSet<>(names);
        boolean _ = more.add(host);
        return new PoolMachines(more);
    }

    /** Writes the file, in the place of one that is there. */
    void write(Path pool) throws IOException {
        PemFiles.replace(pool, NAME, String.join("\n", new TreeSet<>(names)) + "\n");
    }
}
