package io.leapnbd.tools.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.UUID;

/**
 * The first page of a swap area, version 1, as {@code union swap_header} in the kernel's {@code include/linux/swap.h}
 * defines it:
 *
 * <pre>
 *      0  bootbits      1024 bytes that the kernel does not look at: whose area it is, see {@link SwapOwner}
 *   1024  version       u32, host byte order: 1
 *   1028  last_page     u32: the last usable page; the area has last_page + 1 pages, of which page 0 is this header
 *   1032  nr_badpages   u32: 0
 *   1036  uuid          16 bytes
 *   1052  volume name   16 bytes, zero-terminated
 *   page size - 10      "SWAPSPACE2"
 * </pre>
 *
 * Written here rather than by {@code mkswap(8)}, because a process that is locked in memory must not fork.
 */
public final class SwapHeader {
    private static final int VERSION = 1024;
    private static final int LAST_PAGE = 1028;
    private static final int BAD_PAGES = 1032;
    private static final int UUID_BYTES = 1036;
    private static final int LABEL = 1052;
    private static final int LABEL_LENGTH = 16;
    private static final String MAGIC = "SWAPSPACE2";
    /** The kernel refuses smaller ones; {@code mkswap} does too. */
    private static final int FEWEST_PAGES = 10;

    private SwapHeader() {}

    /**
     * The header page of a new area.
     *
     * @param bytes size of the area
     * @param pageSize in bytes
     * @param owner written into the boot bits
     */
    public static ByteBuffer encode(long bytes, int pageSize, UUID uuid, String label, SwapOwner owner) {
        long pages = bytes / pageSize;
        if (pages < FEWEST_PAGES) {
            throw new IllegalArgumentException(
                    "a swap area needs " + FEWEST_PAGES + " pages or more; " + bytes + " bytes are " + pages);
        }
        ByteBuffer page = ByteBuffer.allocate(pageSize).order(ByteOrder.nativeOrder());
        owner.write(page.slice(0, VERSION));
        page.putInt(VERSION, 1);
        page.putInt(LAST_PAGE, (int) Math.min(pages - 1, 0xffff_ffffL));
        page.putInt(BAD_PAGES, 0);
        ByteBuffer id = ByteBuffer.allocate(16)
                .putLong(uuid.getMostSignificantBits())
                .putLong(uuid.getLeastSignificantBits())
                .flip();
        page.put(UUID_BYTES, id, 0, 16);
        byte[] name = label.getBytes(StandardCharsets.UTF_8);
        page.put(LABEL, name, 0, Math.min(name.length, LABEL_LENGTH - 1));
        byte[] magic = MAGIC.getBytes(StandardCharsets.US_ASCII);
        page.put(pageSize - magic.length, magic);
        return page;
    }

    /** The area's UUID, when the page is the header of a swap area. */
    public static Optional<UUID> uuid(ByteBuffer page) {
        byte[] magic = MAGIC.getBytes(StandardCharsets.US_ASCII);
        int at = page.limit() - magic.length;
        if (at < LABEL + LABEL_LENGTH
                || !page.slice(at, magic.length).equals(ByteBuffer.wrap(magic))
                || page.duplicate().order(ByteOrder.nativeOrder()).getInt(VERSION) != 1) {
            return Optional.empty();
        }
        ByteBuffer id = page.slice(UUID_BYTES, 16);
        return Optional.of(new UUID(id.getLong(), id.getLong()));
    }

    /** Whose area it is, when its header says that. */
    public static Optional<SwapOwner> owner(ByteBuffer page) {
        return uuid(page).isEmpty() ? Optional.empty() : SwapOwner.read(page.slice(0, VERSION));
    }
}
