package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.Encryption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a server takes an export with.
 *
 * @param export its name
 * @param size bytes of the device
 * @param loops event loops, each of which needs a link to every donor
 * @param host number of this machine
 * @param owner what people call this server: machine and process
 * @param copies of each slab, as they are wanted
 * @param stateFile where to keep what a restarted server has to know; null for memory that ends with the process
 * @param takeOver whether to push aside a server that answers, or to take another machine's pages or other contents
 * @param fresh whether to begin blank
 * @param loseMissing whether to go on without donors that hold pages
 * @param seals whether seals of pages are kept
 * @param encryption how pages are encrypted
 * @param patience how long to wait for donors that do not answer
 */
public record TakeoverSettings(
        String export,
        long size,
        int loops,
        UUID host,
        String owner,
        CopiesWish copies,
        @Nullable Path stateFile,
        boolean takeOver,
        boolean fresh,
        boolean loseMissing,
        boolean seals,
        Encryption encryption,
        Duration patience) {

    /** As the check wants them, in a boot of this number. */
    TakeoverOptions options(UUID boot) {
        return new TakeoverOptions(export, size, host, loops, takeOver, fresh, loseMissing, encryption.kind(), boot);
    }
}
