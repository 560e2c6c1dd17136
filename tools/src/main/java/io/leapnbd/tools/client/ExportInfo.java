package io.leapnbd.tools.client;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a server says about an export in the handshake.
 *
 * @param size in bytes, of whole pages: what the kernel's device has
 * @param flags the transmission flags of the protocol document
 * @param description free text; a server that names its contents has {@code content=ID} in it
 */
public record ExportInfo(long size, int flags, String description) {
    private static final Pattern CONTENT = Pattern.compile("(?:^|[\\s,;])content=([^\\s,;]+)");

    /** What names the bytes behind the export: another one means that what was written before is gone. */
    public Optional<String> content() {
        Matcher matcher = CONTENT.matcher(description);
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
    }

    /** Whether all of these {@link io.leapnbd.nbd.protocol.Transmission} flags are set. */
    public boolean has(int wanted) {
        return (flags & wanted) == wanted;
    }

    /** Why a server that says {@code this} now is not the one that said {@code before}; nothing when it is. */
    public Optional<String> differenceFrom(ExportInfo before) {
        if (size != before.size) {
            return Optional.of("the export has " + size + " bytes, it had " + before.size);
        }
        if (flags != before.flags) {
            return Optional.of("the export's flags are 0x" + Integer.toHexString(flags) + ", they were 0x"
                    + Integer.toHexString(before.flags));
        }
        if (!content().equals(before.content())) {
            return Optional.of("the server lost the export's contents: they are "
                    + content().orElse("unnamed") + ", they were "
                    + before.content().orElse("unnamed"));
        }
        return Optional.empty();
    }
}
