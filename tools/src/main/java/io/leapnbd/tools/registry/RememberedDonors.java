package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.DonorAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.TypeConversionException;

/**
 * The donors that a server had, in a file beside its state file. The next one begins with them, whatever the registry says then. It is a list as {@code --donors} has it. If
 * it is gone, the state file and the donors' notes still name whoever may hold pages. For one thread.
 */
public final class RememberedDonors {

    private static final Logger log = LoggerFactory.getLogger(RememberedDonors.class);

    /** 128 addresses and zones. */
    private static final int MOST = 64 << 10;

    private final Path file;
    private String written = "";
    private boolean failed;

    /** Of an export, by its state file. */
    public RememberedDonors(Path stateFile) {
        file = stateFile.resolveSibling(stateFile.getFileName() + ".donors");
    }

    /** Those of the last server; none if there are none, or nobody can read them. */
    public List<DonorAddress> read() {
        try {
            if (!Files.exists(file)) {
                return List.of();
            }
            if (Files.size(file) > MOST) {
                throw new IOException("it has more than " + MOST + " bytes");
            }
            String text = Files.readString(file).strip();
            return text.isEmpty() ? List.of() : DonorAddress.parseList(text);
        } catch (IOException | TypeConversionException e) {
            log.warn("{} is not used: {}", file, e.getMessage());
            return List.of();
        }
    }

    /** Keeps them, if they are others than before. It does not fail: without the file a start asks more. */
    public void write(String donors) {
        if (donors.equals(written)) {
            return;
        }
        try {
            Path fresh = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(fresh, donors + "\n");
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
            written = donors;
            failed = false;
        } catch (IOException e) {
            if (!failed) {
                log.warn("donors cannot be remembered in {}: {}", file, e.toString());
            }
            failed = true;
        }
    }
}
