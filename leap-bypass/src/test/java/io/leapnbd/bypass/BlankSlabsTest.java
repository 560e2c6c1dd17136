package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blank slabs that are handed back to donors that follow a script. */
class BlankSlabsTest extends ScriptedDeviceTests {

    private static final int SLABS = 4;

    /** A donor may do late what it did not answer in time. Then it must not take what was written since. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aSlabThatIsHandedBackLateIsNotTheOneThatIsUsedAgain(int copies) throws IOException {
        open(SLABS, copies, copies, 8_000);
        blank(0);
        device.stores.forEach(store -> store.holdsFrees = true);
        device.stores.forEach(store -> store.donor.wantedBack(1));
        Awaiting.that("it is handed back", () -> device.stores.getFirst().freesHeld() > 0);
        device.stores.forEach(store -> store.donor.wantedBack(0));
        assertThat(driver.write(0, page(2))).isZero();
        device.stores.forEach(ScriptedStore::freeLate);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        assertThat(device.map.pagesLost()).isZero();
    }

    /** Otherwise the old one could be taken for the new one, if that and the state file were lost. */
    @Test
    void aWriteWaitsUntilTheOldSlabIsGone() throws Exception {
        open(SLABS, 2, 1, 8_000);
        blank(0);
        int at = Objects.requireNonNull(device.map.placement(0)).primary().donor();
        ScriptedStore store = device.stores.get(at);
        ScriptedStore other = device.stores.get(1 - at);
        store.holdsAnswers = true;
        store.donor.wantedBack(1);
        Awaiting.that("it is handed back", () -> store.held() == 0);
        CompletableFuture<Integer> write = driver.startWrite(0, page(2));
        // Time enough to be granted another one.
        Thread.sleep(300);
        assertThat(write).isNotDone();
        assertThat(other.held()).as("no other is granted before").isZero();
        store.donor.wantedBack(0);
        store.holdsAnswers = false;
        ScriptedStore.Link link = device.links.get(at);
        link.loop.execute(link::letAnswersGo);
        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        assertThat(device.map.pagesLost()).isZero();
    }

    @Test
    void aSlabWithAPageStays() throws IOException {
        open(SLABS, 1, 1, 8_000);
        blank(0);
        blank(1);
        assertThat(driver.write(PAGE, page(7))).isZero();
        device.stores.getFirst().donor.wantedBack(2);
        Awaiting.that("the other one is handed back", () -> device.map.placement(1) == null);
        assertThat(device.map.placement(0)).isNotNull();
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(7));
    }

    /** A slab that was written and then trimmed. */
    private void blank(int slab) {
        assertThat(driver.write((long) slab << SLAB_SHIFT, page(1))).isZero();
        assertThat(driver.trim((long) slab << SLAB_SHIFT, SLAB)).isZero();
    }
}
