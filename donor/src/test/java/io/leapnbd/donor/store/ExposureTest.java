package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Pages;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A slab whose memory is read without the store: its bytes have to be its contents. */
class ExposureTest {

    private static final int SLAB = Settings.SLAB;

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(1));
    }

    @AfterEach
    void close() {
        store.close();
    }

    private static byte[] bytes(Exposure exposure, int offset, int length) {
        ByteBuf into = Unpooled.buffer(length).writerIndex(length);
        RawMemory.copyTo(exposure.address() + offset, into, 0, length);
        return Pages.content(into);
    }

    @Test
    void aPageThatWasTrimmedBeforeOrAfterIsZerosInMemory() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, 3 * PAGE, 1, 1);
        slab.trim(0, PAGE, 2);
        Exposure exposure = store.exposures().expose(slab.claim(), slab.handle(), () -> {});
        slab.trim(PAGE, PAGE, 3);

        assertThat(bytes(exposure, 0, 2 * PAGE)).isEqualTo(new byte[2 * PAGE]);
        assertThat(bytes(exposure, 2 * PAGE, PAGE)).isEqualTo(slab.read(2 * PAGE, PAGE));
        exposure.close();
    }

    @Test
    void nothingOfTheOwnerBeforeIsInTheMemory() {
        Lent before = Lent.grant(store, "a", 1, 0);
        before.write(0, SLAB, 1, 1);
        store.free(before.claim(), before.handle(), Version.ofGrant(1, 0));
        Lent after = Lent.grant(store, "b", 1, 0);
        Exposure exposure = store.exposures().expose(after.claim(), after.handle(), () -> {});

        assertThat(bytes(exposure, 0, SLAB)).isEqualTo(new byte[SLAB]);
        exposure.close();
    }

    @Test
    void whatIsTrimmedBetweenTwoPartsOfThePreparationIsZerosToo() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, SLAB, 1, 1);
        slab.trim(2 * PAGE, PAGE, 2);
        assertThat(store.exposures().prepare(slab.claim(), slab.handle(), 0, PAGE))
                .isEqualTo(Status.OK);
        slab.trim(0, PAGE, 3);
        slab.trim(3 * PAGE, PAGE, 3);
        assertThat(store.exposures().prepare(slab.claim(), slab.handle(), PAGE, SLAB))
                .isEqualTo(Status.OK);
        Exposure exposure = store.exposures().expose(slab.claim(), slab.handle(), () -> {});

        assertThat(bytes(exposure, 0, PAGE)).isEqualTo(new byte[PAGE]);
        assertThat(bytes(exposure, PAGE, PAGE)).isEqualTo(slab.read(PAGE, PAGE));
        assertThat(bytes(exposure, 2 * PAGE, 2 * PAGE)).isEqualTo(new byte[2 * PAGE]);
        exposure.close();
    }

    /** Of another loop, or of a link that has ended since. */
    @Test
    void whoFindsAnotherHalfThroughThePreparationDoesAllOfIt() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, SLAB, 1, 1);
        slab.trim(0, SLAB, 2);
        assertThat(store.exposures().prepare(slab.claim(), slab.handle(), 0, PAGE))
                .isEqualTo(Status.OK);
        Exposure exposure = store.exposures().expose(slab.claim(), slab.handle(), () -> {});

        assertThat(bytes(exposure, 0, SLAB)).isEqualTo(new byte[SLAB]);
        exposure.close();
    }

    @Test
    void aSlabThatIsHandedBackIsNotLentAgainUntilNobodyReadsIt() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        AtomicInteger told = new AtomicInteger();
        Exposure exposure = store.exposures().expose(slab.claim(), slab.handle(), told::incrementAndGet);

        store.free(slab.claim(), slab.handle(), Version.ofGrant(1, 0));

        assertThat(told).hasValue(1);
        assertThat(store.freeSlabs()).isZero();
        exposure.close();
        exposure.close();
        assertThat(store.freeSlabs()).isEqualTo(1);
    }

    @Test
    void onlyTheOwnerMayHaveItExposed() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        Claim other = Lent.claim(store, "b", 1);
        assertThat(store.exposures().expose(other, slab.handle(), () -> {}).status())
                .isEqualTo(Status.NOT_OWNER);
    }

    @Test
    void aServerThatIsFencedOffCannotHaveItExposed() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        Claim newer = Lent.claim(store, "a", 2);
        assertThat(newer.fenced()).isFalse();
        assertThat(store.exposures()
                        .expose(slab.claim(), slab.handle(), () -> {})
                        .status())
                .isEqualTo(Status.FENCED);
        assertThat(store.exposures().prepare(slab.claim(), slab.handle(), 0, SLAB))
                .isEqualTo(Status.FENCED);
    }
}
