package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateFileTest {

    private static final int SLAB_SHIFT = 20;
    private static final long SIZE = 8L << 20;

    @TempDir
    private Path folder;

    @Test
    void whatWasStoredIsThereAfterTheProcessWasKilled() throws IOException {
        UUID content = UUID.randomUUID();
        UUID incarnation = UUID.randomUUID();
        // Closing does no more than the end of a process does: what is stored is in the page cache.
        try (StateFile file = open(false)) {
            assertThat(file.restored()).isFalse();
            file.claim(7, content);
            file.putDonor(1, "tcp://10.0.0.1:9400", incarnation);
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            map.map(3, Placement.of(1, incarnation, 99, 1234));
            map.markWritten(3L << SLAB_SHIFT, 8192);
        }
        try (StateFile file = open(false)) {
            assertThat(file.restored()).isTrue();
            assertThat(file.epoch()).isEqualTo(7);
            assertThat(file.content()).isEqualTo(content);
            assertThat(file.donorName(1)).isEqualTo("tcp://10.0.0.1:9400");
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            Placement placement = Objects.requireNonNull(map.placement(3));
            assertThat(placement.generation()).isEqualTo(1234);
            assertThat(placement.primary().donor()).isEqualTo(1);
            assertThat(placement.primary().incarnation()).isEqualTo(incarnation);
            assertThat(placement.primary().handle()).isEqualTo(99);
            assertThat(map.placement(2)).isNull();
            assertThat(map.pagesWritten()).isEqualTo(2);
        }
    }

    @Test
    void freshForgetsEverything() throws IOException {
        try (StateFile file = open(false)) {
            file.claim(7, UUID.randomUUID());
        }
        try (StateFile file = open(true)) {
            assertThat(file.restored()).isFalse();
            assertThat(file.epoch()).isZero();
        }
    }

    @Test
    void aSecondServerIsRefused() throws IOException {
        try (StateFile first = open(false)) {
            assertThat(first.restored()).isFalse();
            assertThatThrownBy(() -> open(false))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("another server of this export is running");
        }
    }

    @Test
    void anotherSizeIsRefusedAndNothingLost() throws IOException {
        try (StateFile file = open(false)) {
            file.claim(5, UUID.randomUUID());
        }
        assertThatThrownBy(() -> new StateFile(path(), SIZE * 2, SLAB_SHIFT, false))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("--size " + SIZE)
                .hasMessageContaining("--fresh");
        try (StateFile file = open(false)) {
            assertThat(file.epoch()).isEqualTo(5);
        }
    }

    @Test
    void aTruncatedFileIsRefused() throws IOException {
        try (StateFile file = open(false)) {
            file.claim(5, UUID.randomUUID());
        }
        try (FileChannel channel = FileChannel.open(path(), StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() - 4096);
        }
        assertThatThrownBy(() -> open(false)).isInstanceOf(IOException.class).hasMessageContaining("cut short");
        try (FileChannel channel = FileChannel.open(path(), StandardOpenOption.WRITE)) {
            channel.truncate(100);
        }
        assertThatThrownBy(() -> open(false)).isInstanceOf(IOException.class).hasMessageContaining("cut short");
    }

    @Test
    void aForeignFileIsRefused() throws IOException {
        Files.write(path(), new byte[1 << 20]);
        assertThatThrownBy(() -> open(false)).isInstanceOf(IOException.class).hasMessageContaining("not a state file");
        assertThat(Files.size(path())).isEqualTo(1 << 20);
    }

    private StateFile open(boolean fresh) throws IOException {
        return new StateFile(path(), SIZE, SLAB_SHIFT, fresh);
    }

    private Path path() {
        return folder.resolve("leap.state");
    }
}
