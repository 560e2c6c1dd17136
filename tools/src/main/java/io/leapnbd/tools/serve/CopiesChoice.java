package io.leapnbd.tools.serve;

import java.time.Duration;

/**
 * How many copies of each page there are, and when one of them is given up.
 *
 * @param replicas copies of a page, each on a machine of its own; 1 to 4
 * @param ifRoom whether fewer will do where the donors have no room for that many
 * @param memberTimeout how long a donor may be silent while another has the page too
 */
public record CopiesChoice(int replicas, boolean ifRoom, Duration memberTimeout) {

    /** One copy. */
    public static final CopiesChoice DEFAULT = new CopiesChoice(1, false, Duration.ofSeconds(1));
}
