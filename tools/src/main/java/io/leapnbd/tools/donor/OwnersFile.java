package io.leapnbd.tools.donor;

import io.leapnbd.donor.store.OwnerLimits;
import io.leapnbd.nbd.tls.TrustedPath;
import io.leapnbd.tools.cli.Size;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.TypeConversionException;

/**
 * The file of {@code donor --owners}: a line an owner, with its name, white space, and how much it may hold. A {@code #} at the beginning of a line
 * or after white space begins a comment. What is in it is believed, so others may not change or replace it. Messages show nothing of it: somebody may
 * have named the wrong file.
 */
final class OwnersFile {

    private static final int MOST_BYTES = 1 << 20;

    private OwnersFile() {}

    /**
     * Reads it.
     *
     * @param each bytes for owners that are not in it
     * @throws IOException in one sentence, with the number of the line
     */
    static OwnerLimits read(Path file, long each) throws IOException {
        List<String> lines;
        try {
            lines = TrustedPath.readLines(file, MOST_BYTES);
        } catch (NoSuchFileException e) {
            throw new IOException(file + " does not exist; write lines like 'anonymous@10.0.0.3 8G' into it", e);
        } catch (FileSystemException e) {
            throw new IOException(file + " cannot be read: " + e.getMessage(), e);
        }
        Map<String, Long> named = new HashMap<>();
        Map<String, Integer> places = new HashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = (" " + lines.get(i)).replaceFirst("\\s#.*", "").strip();
            if (line.isEmpty()) {
                continue;
            }
            String where = file + ", line " + (i + 1) + ": ";
            int gap = lastGap(line);
            if (gap < 0) {
                throw new IOException(where + "it has no size; write it like 'NAME 8G'");
            }
            String name = line.substring(0, gap).strip();
            if (name.endsWith("=")) {
                throw new IOException(where + "there is no '=' between name and size; write it like 'NAME 8G'");
            }
            long bytes;
            try {
                bytes = Size.parse(line.substring(gap + 1)).bytes();
            } catch (TypeConversionException e) {
                throw new IOException(where + "its last word is no size; write it like 'NAME 8G'", e);
            }
            named.put(name, bytes);
            Integer before = places.put(name, i + 1);
            if (before != null) {
                throw new IOException(
                        where + "it names the owner of line " + before + " again; leave one of the lines out");
            }
        }
        return new OwnerLimits(each, named);
    }

    /** Where the white space before the last word is; -1 if there is one word only. */
    private static int lastGap(String line) {
        int at = line.length() - 1;
        while (at >= 0 && !Character.isWhitespace(line.charAt(at))) {
            at--;
        }
        return at;
    }
}
