package io.leapnbd.tools.linux;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which machine swaps on an area, in which boot of it: a line of text in the header's boot bits, that another machine reads
 * before it makes a swap area of its own there.
 *
 * @param machine {@link Machine#id}
 * @param boot {@link Machine#boot}
 * @param name {@link Machine#name}
 */
public record SwapOwner(UUID machine, UUID boot, String name) {
    private static final Pattern LINE =
            Pattern.compile("leap-nbd swap area machine=([0-9a-f-]{36}) boot=([0-9a-f-]{36}) host=([A-Za-z0-9._-]*)\n");
    private static final int LONGEST_NAME = 255;

    /** For an area of this machine. */
    public static SwapOwner of(Machine machine) {
        String name = machine.name();
        return new SwapOwner(machine.id(), machine.boot(), name.substring(0, Math.min(name.length(), LONGEST_NAME)));
    }

    void write(ByteBuffer bootBits) {
        bootBits.put(("leap-nbd swap area machine=" + machine + " boot=" + boot + " host=" + name + "\n")
                .getBytes(StandardCharsets.US_ASCII));
    }

    static Optional<SwapOwner> read(ByteBuffer bootBits) {
        Matcher line = LINE.matcher(StandardCharsets.US_ASCII.decode(bootBits));
        return line.lookingAt()
                ? Optional.of(
                        new SwapOwner(UUID.fromString(line.group(1)), UUID.fromString(line.group(2)), line.group(3)))
                : Optional.empty();
    }
}
