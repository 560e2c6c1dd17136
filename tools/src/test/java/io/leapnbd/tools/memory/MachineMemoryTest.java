package io.leapnbd.tools.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.memory.MachineMemory.Bound;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineMemoryTest {

    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;
    private static final long HEAP = 32 * MIB;

    private static final Bound MACHINE = Bound.machine(47 * GIB / 2, 20 * GIB);

    @Test
    void whatLeavesNoRoomForTheMachineIsRefusedWithWhatFits() { // E10
        MachineMemory machine = new MachineMemory(List.of(MACHINE));
        assertThatThrownBy(() -> machine.check("--memory", 22 * GIB, 0, HEAP))
                .isInstanceOf(CommandFailure.class)
                .hasMessageMatching(
                        "--memory: 22G does not fit into this machine's memory, which is 23.5 GiB: this process takes"
                                + " about 1\\d\\d MiB itself, and 2.3 GiB are to stay free; ask for \\d+M or less");
        assertThatCode(() -> machine.check("--memory", 20 * GIB, 0, HEAP)).doesNotThrowAnyException();
    }

    @Test
    void theTightestLimitIsNamed() { // G3
        MachineMemory machine = new MachineMemory(List.of(
                MACHINE,
                Bound.group(Path.of("/sys/fs/cgroup/in/memory.max"), 400 * MIB, 390 * MIB),
                Bound.group(Path.of("/sys/fs/cgroup/memory.max"), 8 * GIB, 8 * GIB)));
        assertThatThrownBy(() -> machine.check("--memory", 2 * GIB, 0, HEAP))
                .hasMessageContaining("the limit of its cgroup, /sys/fs/cgroup/in/memory.max, which is 400 MiB");
        assertThatCode(() -> machine.check("--memory", 200 * MIB, 0, HEAP)).doesNotThrowAnyException();
    }

    @Test
    void whatFitsIsAccepted() {
        MachineMemory machine = new MachineMemory(List.of(MACHINE));
        String refusal = "";
        try {
            machine.check("--memory", 23 * GIB, 0, HEAP);
        } catch (CommandFailure e) {
            refusal = String.valueOf(e.getMessage());
        }
        long fits = Long.parseLong(refusal.replaceAll(".*ask for (\\d+)M or less", "$1")) * MIB;
        assertThatCode(() -> machine.check("--memory", fits, 0, HEAP)).doesNotThrowAnyException();
        assertThatThrownBy(() -> machine.check("--memory", fits + MIB, 0, HEAP)).isInstanceOf(CommandFailure.class);
    }

    @Test
    void whatIsNotThereAtTheMomentIsSaid() {
        MachineMemory machine = new MachineMemory(List.of(Bound.machine(24 * GIB, 3 * GIB)));
        assertThat(machine.shortage(2 * GIB))
                .hasValueSatisfying(little ->
                        assertThat(little).isEqualTo("only 3 GiB of this machine's memory are free at the moment"));
        assertThat(machine.shortage(64 * MIB)).isEmpty();
    }

    @Test
    void meminfoIsReadInKibibytes() {
        assertThat(MachineMemory.machine("MemTotal:       1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n"))
                .hasValueSatisfying(bound -> {
                    assertThat(bound.total()).isEqualTo(MIB);
                    assertThat(bound.available()).isEqualTo(MIB / 2);
                });
        assertThat(MachineMemory.machine("")).isEmpty();
        assertThat(MachineMemory.now().bounds()).isNotEmpty();
    }
}
