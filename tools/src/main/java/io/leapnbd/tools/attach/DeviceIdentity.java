package io.leapnbd.tools.attach;

import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a device is connected to, as the kernel keeps it: text that is given with the first connection, is in
 * {@code /sys/block/nbdN/backend} from then on (Linux 5.14 or newer), and has to be given again with every other connection.
 *
 * @param content names the export's contents; empty when the server does not
 * @param swap UUID of the swap area that is made on the device; nothing for one that is not swapped on
 * @param flags the export's transmission flags
 * @param uri of the server
 */
record DeviceIdentity(String content, Optional<UUID> swap, int flags, String uri) {
    /** sysfs has one page for it. */
    private static final int LONGEST = 2000;

    private static final Pattern TEXT =
            Pattern.compile("leap-nbd 1 content=(\\S*) swap=([0-9a-f-]{36})? flags=0x([0-9a-f]{1,4}) uri=(\\S+)");

    /** The text; empty when it would be longer than the kernel can show. */
    String text() {
        String text = "leap-nbd 1 content=" + content + " swap="
                + swap.map(UUID::toString).orElse("") + " flags=0x" + Integer.toHexString(flags) + " uri=" + uri;
        return text.length() > LONGEST ? "" : text;
    }

    /** What {@link #text} has written; nothing for another program's words. */
    static Optional<DeviceIdentity> parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        return matcher.matches()
                ? Optional.of(new DeviceIdentity(
                        matcher.group(1),
                        Optional.ofNullable(matcher.group(2)).map(UUID::fromString),
                        Integer.parseInt(matcher.group(3), 16),
                        matcher.group(4)))
                : Optional.empty();
    }
}
