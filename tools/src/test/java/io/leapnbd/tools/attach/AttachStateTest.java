package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.StartTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttachStateTest {
    private static final Path DEVICE = Path.of("/dev/nbd7");
    private static final UUID SWAP = UUID.fromString("01020304-0506-0708-090a-0b0c0d0e0f10");

    @TempDir
    private Path directory;

    private static AttachState state(long pid) {
        return new AttachState(
                DEVICE,
                pid,
                StartTime.of(pid).orElse(0L),
                "nbd+unix:///leap?socket=/run/leap.sock",
                "id-1",
                1L << 30,
                0x12d,
                2,
                Optional.of(SWAP),
                "leap-nbd 1 content=id-1",
                4711);
    }

    @Test
    void what_was_written_is_read_and_deleted() throws IOException {
        AttachState state = state(ProcessHandle.current().pid());
        state.write(directory);
        assertThat(AttachState.read(directory, DEVICE)).contains(state);
        assertThat(AttachState.readAll(directory)).containsExactly(state);
        assertThat(state.isAlive()).isTrue();
        assertThat(state.index()).isEqualTo(7);
        assertThat(state.identity().content()).isEqualTo("id-1");
        assertThat(state.identity().swap()).contains(SWAP);
        AttachState.delete(directory, DEVICE);
        assertThat(AttachState.readAll(directory)).isEmpty();
    }

    @Test
    void another_process_with_the_same_number_is_not_the_resident_one() {
        AttachState own = state(ProcessHandle.current().pid());
        AttachState older = new AttachState(
                DEVICE,
                own.pid(),
                own.started() - 1,
                own.uri(),
                own.content(),
                own.size(),
                own.flags(),
                1,
                own.swap(),
                "",
                0);
        assertThat(older.isAlive()).isFalse();
    }

    @Test
    void a_file_of_an_earlier_version_is_read() throws IOException {
        Files.writeString(
                directory.resolve("attach-nbd7"),
                "device=/dev/nbd7\npid=1\nstarted=2\nuri=nbd\\://h/leap\ncontent=c\nsize=4096\nflags=5\nconnections=1\nswap=true\n");
        AttachState state = AttachState.read(directory, DEVICE).orElseThrow();
        assertThat(state.identity()).isEqualTo(new DeviceIdentity("c", Optional.empty(), 5, "nbd://h/leap"));
        assertThat(state.isOf(new NbdDevice(7, 4096, 99, "", 1))).isTrue();
    }

    @Test
    void a_file_that_a_device_before_has_left_is_not_taken_for_this_ones() {
        AttachState state = state(1);
        assertThat(state.isOf(new NbdDevice(7, 1L << 30, 4711, "leap-nbd 1 content=id-1", 2)))
                .isTrue();
        assertThat(state.isOf(new NbdDevice(7, 1L << 30, 4712, "leap-nbd 1 content=id-1", 2)))
                .isFalse();
        assertThat(state.isOf(new NbdDevice(7, 1L << 30, 4711, "", 2))).isFalse();
        assertThat(state.isOf(new NbdDevice(8, 1L << 30, 4711, "leap-nbd 1 content=id-1", 2)))
                .isFalse();
    }

    @Test
    void a_damaged_file_is_said_to_be_damaged() throws IOException {
        Files.writeString(directory.resolve("attach-nbd7"), "pid=x\n");
        assertThatThrownBy(() -> AttachState.readAll(directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("damaged");
    }

    @Test
    void only_nbd_devices_are_taken() {
        assertThatThrownBy(() -> AttachState.indexOf(Path.of("/dev/sda")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("/dev/nbd0");
    }

    @Test
    void settings_are_changed_once_and_changed_back_when_the_last_device_goes() throws IOException {
        Path sysctl = Files.createDirectories(directory.resolve("sysctl"));
        Path states = directory.resolve("run");
        Path low = Files.createDirectories(sysctl.resolve("vm")).resolve("low");
        Files.writeString(low, "5");
        Path high = Files.writeString(sysctl.resolve("vm/high"), "50");
        HostSettings settings = new HostSettings(sysctl, states);
        List<HostSetting> wanted = List.of(
                new HostSetting("vm.low", HostSetting.Bound.AT_LEAST, 10, "because"),
                new HostSetting("vm.high", HostSetting.Bound.AT_LEAST, 10, "because"),
                new HostSetting("vm.missing", HostSetting.Bound.AT_MOST, 0, "because"));

        assertThat(settings.apply(wanted)).containsExactly("set vm.low = 10 (was 5): because");
        assertThat(low).hasContent("10");
        assertThat(high).hasContent("50");
        assertThat(settings.apply(wanted)).isEmpty();

        state(1).write(states);
        assertThat(settings.restore()).as("a device is still attached").isEmpty();
        AttachState.delete(states, DEVICE);
        assertThat(settings.restore()).containsExactly("set vm.low back to 5");
        assertThat(low).hasContent("5");
        assertThat(settings.restore()).isEmpty();
    }

    @Test
    void pages_that_have_nowhere_to_go_are_a_reason_not_to_start() {
        assertThat(SwapRoom.lacking(DEVICE, 100L << 20, 60L << 20, 50L << 20)).isEmpty();
        assertThat(SwapRoom.lacking(DEVICE, 100L << 20, 60L << 20, 0))
                .hasValueSatisfying(why -> assertThat(why).contains("100 MiB").contains("60 MiB"));
    }

    @Test
    void a_command_with_a_limit_below_its_pages_is_a_reason_not_to_start() {
        assertThat(SwapRoom.limited("leap-nbd-run-1", 24 << 20, 0, 24 << 20)).isEmpty();
        assertThat(SwapRoom.limited("leap-nbd-run-1", 24 << 20, 8 << 20, 32 << 20))
                .isEmpty();
        assertThat(SwapRoom.limited("leap-nbd-run-1", 24 << 20, 40 << 20, 24 << 20))
                .hasValueSatisfying(why -> assertThat(why).contains("leap-nbd-run-1", "40 MiB", "24 MiB"));
    }
}
