package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** E1: what is known of a device whose resident process was killed. */
class AttachedTest {
    private static final DeviceIdentity IDENTITY =
            new DeviceIdentity("c-1", Optional.of(new UUID(1, 2)), 0x12d, "nbd+unix:///?socket=/run/a%20b.sock");

    @TempDir
    private Path folder;

    private Path sysBlock() {
        return folder.resolve("block");
    }

    private void device(int index, String backend) throws IOException {
        Path device = Files.createDirectories(sysBlock().resolve("nbd" + index));
        Files.createDirectories(device.resolve("mq/0"));
        Files.createDirectories(device.resolve("mq/1"));
        Files.writeString(device.resolve("size"), "2048\n");
        Files.writeString(device.resolve("pid"), "321\n");
        Files.writeString(device.resolve("backend"), backend + "\n");
    }

    private List<Attached> all() throws IOException {
        return Attached.all(sysBlock(), folder.resolve("run"), List.of(new SwapArea(Path.of("/dev/nbd2"), 1 << 20, 0)));
    }

    @Test
    void what_the_kernel_was_told_is_understood_again() {
        assertThat(DeviceIdentity.parse(IDENTITY.text())).contains(IDENTITY);
        DeviceIdentity least = new DeviceIdentity("", Optional.empty(), 1, "nbd://h");
        assertThat(DeviceIdentity.parse(least.text())).contains(least);
        assertThat(DeviceIdentity.parse("another program's words")).isEmpty();
        assertThat(new DeviceIdentity("c".repeat(4096), Optional.empty(), 1, "nbd://h").text())
                .isEmpty();
    }

    @Test
    void a_device_is_known_without_its_state_file() throws IOException {
        device(2, IDENTITY.text());
        Files.createDirectories(sysBlock().resolve("nbd0")); // not set up: no pid
        assertThat(all())
                .containsExactly(new Attached(
                        new NbdDevice(2, 1 << 20, 321, IDENTITY.text(), 2),
                        Optional.of(IDENTITY),
                        Optional.empty(),
                        true));
        assertThat(all().getFirst().export()).isEqualTo(new ExportInfo(1 << 20, 0x12d, "content=c-1"));
    }

    @Test
    void a_device_of_a_kernel_that_keeps_no_words_is_known_by_its_state_file() throws IOException {
        device(2, "");
        NbdDevice device = NbdDevice.of(sysBlock(), 2).orElseThrow();
        AttachState.ofThisProcess(device, IDENTITY).write(folder.resolve("run"));
        assertThat(all())
                .containsExactly(new Attached(
                        device,
                        Optional.of(IDENTITY),
                        Optional.of(ProcessHandle.current().pid()),
                        true));
    }

    @Test
    void a_state_file_of_a_device_that_had_the_number_before_is_not_believed() throws IOException {
        device(2, IDENTITY.text());
        AttachState.ofThisProcess(NbdDevice.of(sysBlock(), 2).orElseThrow(), IDENTITY)
                .write(folder.resolve("run"));
        device(2, "another program's words");
        assertThat(all().getFirst().known()).isEmpty();
        assertThat(all().getFirst().resident()).isEmpty();
    }
}
