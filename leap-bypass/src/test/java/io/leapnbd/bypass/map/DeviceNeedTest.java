package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leapnbd.bypass.cipher.CipherKind;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** F12: what a device takes is known before anything is created. */
class DeviceNeedTest {

    private static final int MIB = 1 << 20;
    private static final long GIB = 1L << 30;
    private static final long TIB = 1L << 40;

    @TempDir
    private Path folder;

    @Test
    void aMapThatTheHeapDoesNotHoldIsRefusedWithWhatItTakes() {
        assertThatThrownBy(() -> DeviceNeed.check(1024 * TIB, MIB, 1, folder.resolve("leap.state"), CipherKind.NONE))
                .isInstanceOfSatisfying(
                        DeviceNeed.HeapTooSmall.class,
                        refusal -> assertThat(refusal.slabs()).isEqualTo(1 << 30))
                .hasMessageContaining("in slabs of 1 MiB takes about 131088 MiB of the JVM's heap");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aStateFileThatItsFolderHasNoRoomForIsRefusedWithWhatItTakes() throws Exception {
        long room = Files.getFileStore(folder).getUsableSpace();
        long size = 4096 * TIB;
        assumeTrue(
                DeviceNeed.stateFile(size, 1 << 30, CipherKind.NONE) > room,
                "the temporary folder has room for more than 256 GiB");
        assertThatThrownBy(
                        () -> DeviceNeed.check(size, 1 << 30, 1, folder.resolve("not/yet/leap.state"), CipherKind.NONE))
                .hasMessageContaining(" MiB for its state file, and " + folder + " has room for ");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void anOrdinaryDeviceIsAccepted() {
        assertThat(DeviceNeed.stateFile(64 * GIB, 64 * MIB, CipherKind.NONE)).isBetween(4L * MIB, 8L * MIB);
        assertThatCode(() -> DeviceNeed.check(64 * GIB, 64 * MIB, 1, folder.resolve("leap.state"), CipherKind.NONE))
                .doesNotThrowAnyException();
        assertThatCode(() -> DeviceNeed.check(64 * GIB, 64 * MIB, 1, null, CipherKind.AES_256_GCM))
                .doesNotThrowAnyException();
    }
}
