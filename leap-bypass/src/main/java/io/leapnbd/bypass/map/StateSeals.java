package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.bypass.cipher.PageKeys;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.BitSet;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The part of a {@link StateFile} that says what pages' bytes are: docs/seals.md, "Where", and docs/encryption.md, "What is kept".
 *
 * <pre>
 *  2 Ki   8 bytes: not 0 if written pages may have no seal
 *  2.5 K  the secret of encrypted pages: {@link SecretSpace}
 *  behind the bitmaps, if pages are encrypted: salts of lives ({@link LifeSalts}), slots (of {@link SealedPages})
 *  then, allocated slab by slab: {@link SealTable}, 8 bytes a page, or {@link SealedPages}, 24
 * </pre>
 *
 * <p>Threads: those of the tables. The rest is for a start, but {@link #reserve}.
 */
public final class StateSeals implements AutoCloseable {

    private static final int AT_UNSEALED = 2048;
    private static final int AT_SECRET = 2560;
    private static final int HEAD = 4096;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment file;
    private final MemorySegment words;
    private final @Nullable SealSpace space;
    private final CipherKind cipher;
    private final int pagesShift;
    private final long saltsAt;
    private final @Nullable SealedPages sealed;
    private volatile boolean kept = true;
    private @Nullable PageKeys keys;

    /**
     * Of a file.
     *
     * @param file all but the words
     * @param words those of all pages
     * @param space where they are allocated; null if they need not be
     * @param saltsAt where in the file salts and slots begin
     */
    StateSeals(MemorySegment file, MemorySegment words, @Nullable SealSpace space, StateHeader header, long saltsAt) {
        this.file = file;
        this.words = words;
        this.space = space;
        this.saltsAt = saltsAt;
        cipher = header.cipher();
        pagesShift = header.slabShift() - StateFile.PAGE_SHIFT;
        sealed = cipher.encrypts()
                ? new SealedPages(words, file.asSlice(saltsAt + LifeSalts.LENGTH, SealedPages.SLOTS_LENGTH))
                : null;
    }

    /** Bytes that are allocated at once, behind the bitmaps. */
    static long allocatedLength(CipherKind cipher) {
        return cipher.encrypts() ? LifeSalts.LENGTH + SealedPages.SLOTS_LENGTH : 0;
    }

    /** Bytes of all words of a device. */
    static long wordsLength(long size, int slabShift, CipherKind cipher) {
        return StateFile.roundUp(
                (StateFile.slabs(size, slabShift) << (slabShift - StateFile.PAGE_SHIFT)) * bytesOfAPage(cipher));
    }

    private static int bytesOfAPage(CipherKind cipher) {
        return cipher.encrypts() ? SealedPages.RECORD : SealTable.WORD;
    }

    /** Of pages that are not encrypted. A slab's are looked at only after {@link #reserve}. */
    public SealTable table() {
        return new SealTable(words);
    }

    /** Likewise of encrypted ones; null if pages are not encrypted. */
    public @Nullable SealedPages sealed() {
        return sealed;
    }

    /** The secret of encrypted pages, and what shows which one it is. */
    public SecretSpace secret() {
        return new SecretSpace(file.asSlice(AT_SECRET, SecretSpace.LENGTH));
    }

    /** Wipes the secret of a file that is not mapped any more, if it is one of this layout. */
    static void wipeSecret(FileChannel old) throws IOException {
        ByteBuffer magic = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        if (old.size() >= HEAD && old.read(magic, 0) == Long.BYTES && magic.getLong(0) == StateHeader.MAGIC) {
            int _ = old.write(ByteBuffer.allocate(SecretSpace.LENGTH), AT_SECRET);
            old.force(false);
        }
    }

    /** As {@link StateFile#beginLife}; rows say which slabs have pages. */
    void beginLife(UUID content, byte @Nullable [] given, SlabRows rows) throws IOException {
        SealedPages pages = sealed;
        if (pages == null) {
            return;
        }
        pages.restore();
        LifeKeys of = new LifeKeys(cipher, content, given == null ? secret().get() : given);
        LifeSalts salts = new LifeSalts(file.asSlice(saltsAt, LifeSalts.LENGTH));
        int life = salts.begin(() -> {
            BitSet lives = new BitSet();
            for (int slab = 0; slab < rows.count(); slab++) {
                if (rows.isPlaced(slab)) {
                    pages.stamps(firstPage(slab), firstPage(slab + 1), PageKeys.COUNTER_BITS, lives);
                }
            }
            return lives;
        });
        keys = new PageKeys(of, salts.all(), life);
    }

    /** What pages are encrypted with in this life; null if they are not. */
    @Nullable
    PageKeys keys() {
        return keys;
    }

    /**
     * Allocates the seals of a slab, if they are not yet. They stay as they are. May be called again. Any thread.
     *
     * @return false if the file system has no room for them
     */
    public boolean reserve(int slab) {
        return space == null || !kept || space.reserve(file.byteSize() + wordsOf(slab), wordsOfASlab()) == 0;
    }

    /** Forgets those of a slab that are reserved: it is not known whether they are of the bytes that its donors hold. */
    public void forget(int slab) {
        file.set(LONG, AT_UNSEALED, 1);
        SealedPages encrypted = sealed;
        if (encrypted != null) {
            encrypted.forget(firstPage(slab), firstPage(slab + 1));
        } else if (kept) {
            table().forget(firstPage(slab), firstPage(slab + 1));
        }
    }

    /**
     * Forgets all, and keeps none from now on: this server's writes would make them wrong. Before any write.
     *
     * @throws IOException if the file cannot be changed
     */
    public void keepNone() throws IOException {
        kept = false;
        file.set(LONG, AT_UNSEALED, 1);
        if (space != null) {
            space.extend(file.byteSize());
            space.extend(file.byteSize() + words.byteSize());
        }
    }

    /** Whether seals are kept. */
    boolean kept() {
        return kept;
    }

    /** Whether pages may be written that have no seal, of slabs that were placed before this server came. */
    boolean mayBeUnsealed() {
        return file.get(LONG, AT_UNSEALED) != 0;
    }

    /** Takes note that every written page has a seal; no later one will have none. */
    void allSealed() {
        file.set(LONG, AT_UNSEALED, 0);
    }

    /** Adds those of a slab that is placed to a sum, if they are in a file. */
    void addTo(CRC32C sum, int slab) throws IOException {
        if (space != null) {
            space.addTo(sum, file.byteSize() + wordsOf(slab), wordsOfASlab());
        }
    }

    private long wordsOf(int slab) {
        return firstPage(slab) * bytesOfAPage(cipher);
    }

    private long wordsOfASlab() {
        return firstPage(1) * bytesOfAPage(cipher);
    }

    private long firstPage(int slab) {
        return (long) slab << pagesShift;
    }

    @Override
    public void close() {
        if (space != null) {
            space.close();
        }
    }
}
