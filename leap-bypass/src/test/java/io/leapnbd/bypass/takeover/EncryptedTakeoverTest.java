package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.Recorded.DonorRow;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Whether an export with encrypted pages may be taken: docs/encryption.md, "What is lost with what". */
class EncryptedTakeoverTest {

    private static final int SLAB = 1 << 20;
    private static final long SIZE = 8L * SLAB;
    private static final UUID HERE = new UUID(7, 1);
    private static final UUID ELSEWHERE = new UUID(7, 2);
    private static final UUID CONTENT = new UUID(8, 1);
    private static final UUID MINE = new UUID(9, 1);
    private static final UUID DONOR = new UUID(1, 0);
    private static final UUID THIS_BOOT = new UUID(5, 1);
    private static final UUID BOOT_BEFORE = new UUID(5, 2);
    private static final CipherKind AES = CipherKind.AES_256_GCM;
    private static final TakeoverOptions PLAIN = options(AES, false, false);

    private static TakeoverOptions options(CipherKind cipher, boolean takeOver, boolean fresh) {
        return new TakeoverOptions("swap0", SIZE, HERE, 2, takeOver, fresh, false, cipher, THIS_BOOT);
    }

    private static Note note(CipherKind cipher, UUID boot) {
        return new Note(
                4L << 32,
                SIZE,
                20,
                List.of(new Note.Member(DONOR, "d0")),
                Set.of(),
                List.of(),
                new BitSet(),
                false,
                1,
                cipher,
                boot);
    }

    private static List<Greeting> found(UUID host, int held, Note note) {
        Owner owner = new Owner(MINE, 4, host, "web1, process 4711", 7_200_000);
        return List.of(Greeting.of(0, "d0", new Found(DONOR, SLAB, 5, CONTENT, owner, false, 50, 100, 90, held, note)));
    }

    private static Recorded file(CipherKind cipher, boolean complete) {
        Recorded.SlabRows rows = new Recorded.SlabRows() {
            @Override
            public int count() {
                return 8;
            }

            @Override
            public @Nullable SlabRow row(int slab) {
                return slab == 0 ? SlabRow.of(DONOR, 10, 4L << 32) : null;
            }

            @Override
            public boolean broken(int slab) {
                return false;
            }
        };
        List<DonorRow> donors = List.of(new DonorRow(DONOR, "d0", 5, MINE));
        return new Recorded(SIZE, 20, CONTENT, MINE, null, 4, complete, complete, donors, rows, cipher);
    }

    private static String refused(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options) {
        Verdict verdict = TakeoverCheck.check(file, greetings, options);
        assertThat(verdict).isInstanceOf(Refused.class);
        return ((Refused) verdict).sentence();
    }

    private static Granted granted(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options) {
        Verdict verdict = TakeoverCheck.check(file, greetings, options);
        assertThat(verdict).isInstanceOf(Granted.class);
        return (Granted) verdict;
    }

    @Test
    void aTrueFileGoesOn() {
        List<Greeting> all = found(HERE, 1, note(AES, THIS_BOOT));
        assertThat(granted(file(AES, true), all, PLAIN).source()).isEqualTo(Source.FILE);
    }

    @Test
    void anOldFileAndNoneAreRefusedWhereDonorsHoldPages() {
        List<Greeting> all = found(HERE, 1, note(AES, THIS_BOOT));
        assertThat(refused(file(AES, false), all, PLAIN)).contains("not the newest", "--fresh");
        assertThat(refused(null, all, PLAIN)).contains("not here", "--fresh");
        assertThat(refused(null, found(ELSEWHERE, 1, note(AES, BOOT_BEFORE)), options(AES, true, false)))
                .contains("--fresh");
        assertThat(granted(null, all, options(AES, false, true)).source()).isEqualTo(Source.BLANK);
    }

    @Test
    void whereNothingIsHeldAStartByListsGoesOn() {
        assertThat(granted(null, found(HERE, 0, note(AES, THIS_BOOT)), PLAIN).source())
                .isEqualTo(Source.LISTS);
    }

    /** Else a machine that swaps to its own server would come up without swap, until the lease has ended. */
    @Test
    void whatNobodyCanReadAnyMoreSinceThisMachineHasBootedBeginsBlankAndSaysSo() {
        Granted granted = granted(null, found(HERE, 1, note(AES, BOOT_BEFORE)), PLAIN);
        assertThat(granted.source()).isEqualTo(Source.BLANK);
        assertThat(granted.warnings()).anyMatch(line -> line.contains("begins blank"));
    }

    /** The first donor was claimed blank, and the start ended before the second was. */
    @Test
    void aStartThatBeganBlankAndWasCutShortIsDoneAgain() {
        Owner owner = new Owner(MINE, 4, HERE, "web1, process 4711", 7_200_000);
        UUID second = new UUID(1, 1);
        Note fresh = note(AES, THIS_BOOT);
        Found begun = new Found(DONOR, SLAB, 6, new UUID(8, 2), owner, false, 50, 100, 90, 0, fresh);
        Found old = new Found(second, SLAB, 5, CONTENT, owner, false, 50, 100, 90, 1, note(AES, BOOT_BEFORE));
        Granted granted = granted(null, List.of(Greeting.of(0, "d0", begun), Greeting.of(1, "d1", old)), PLAIN);
        assertThat(granted.content()).isEqualTo(new UUID(8, 2));
        assertThat(granted.others()).hasSize(1);
        assertThat(granted.others().getFirst().blank()).isTrue();
    }

    /** Somebody may still have it. */
    @Test
    void aStateFileOnADiskOrOfAnotherMachineMayStillBeFound() {
        assertThat(refused(null, found(HERE, 1, note(AES, Note.LASTING)), PLAIN))
                .contains("--state-dir");
        assertThat(refused(null, found(ELSEWHERE, 1, note(AES, BOOT_BEFORE)), PLAIN))
                .contains("another machine");
        assertThat(refused(file(AES, false), found(HERE, 1, note(AES, BOOT_BEFORE)), PLAIN))
                .contains("--fresh");
    }

    @Test
    void howPagesAreEncryptedDoesNotChange() {
        CipherKind off = CipherKind.NONE;
        assertThat(refused(null, found(HERE, 1, note(off, Note.LASTING)), PLAIN))
                .contains("--encrypt off");
        assertThat(refused(null, found(HERE, 0, note(AES, THIS_BOOT)), options(off, false, false)))
                .contains("--encrypt aes-256-gcm");
        assertThat(refused(file(off, true), found(HERE, 1, note(off, Note.LASTING)), PLAIN))
                .contains("--encrypt off");
        CipherKind other = CipherKind.AES_128_GCM;
        assertThat(refused(file(AES, true), found(HERE, 1, note(AES, THIS_BOOT)), options(other, false, false)))
                .contains("begun with --encrypt aes-256-gcm, and now it is --encrypt aes-128-gcm");
    }

    @Test
    void theNoteTellsIt() {
        Note note = note(AES, BOOT_BEFORE);
        assertThat(Note.decode(note.encode())).isEqualTo(note);
        ByteBuffer plain = note(CipherKind.NONE, Note.LASTING).encode();
        assertThat(plain.remaining()).isEqualTo(note.encode().remaining() - 17);
        assertThat(Note.decode(plain).cipher()).isEqualTo(CipherKind.NONE);
    }
}
