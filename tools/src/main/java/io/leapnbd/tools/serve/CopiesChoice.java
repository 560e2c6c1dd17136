package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.spill.SpillSettings;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How many copies of each page there are, when one of them is given up, whether what they answer is looked at, and what they see.
 *
 * @param replicas copies of a page, each on a machine of its own; 1 to 4
 * @param ifRoom whether fewer will do where the donors have no room for that many
 * @param most how many there may be when donors come, as nobody has asked for a number; 0 if somebody has, or there cannot be more
 * @param memberTimeout how long a donor may be silent while another has the page too
 * @param seals whether a seal of each page is kept, so that bytes that changed are found out
 * @param encryption how pages are encrypted before they leave the process
 * @param onlyThisMachine whether donors on other machines are refused, since pages would go there as they are
 * @param spill a local file for pages that no donor has room or life for; null for none
 */
public record CopiesChoice(
        int replicas,
        boolean ifRoom,
        int most,
        Duration memberTimeout,
        boolean seals,
        Encryption encryption,
        boolean onlyThisMachine,
        @Nullable SpillSettings spill) {

    /** One copy, with seals, not encrypted. */
    public static final CopiesChoice DEFAULT =
            new CopiesChoice(1, false, 0, Duration.ofSeconds(1), true, Encryption.OFF, false, null);
}
