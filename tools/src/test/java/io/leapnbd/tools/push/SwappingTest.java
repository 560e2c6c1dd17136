package io.leapnbd.tools.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.linux.PageFaultEvents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwappingTest {

    private static final Path DEVICE = Path.of("/dev/no-such-device");

    @TempDir
    private Path proc;

    private void process(int pid, String swap) throws IOException {
        Files.writeString(
                Files.createDirectories(proc.resolve(Integer.toString(pid))).resolve("status"),
                "Name:\tx\nVmRSS:\t   99999999 kB\n" + swap);
    }

    @Test
    void theProcessesWithTheMostSwappedOutComeFirstAndAreSoManyAtMost() throws IOException {
        for (int i = 1; i <= 40; i++) {
            process(i, "VmSwap:\t    " + (1000 + i * 100) + " kB\n");
        }
        process(50, ""); // a thread of the kernel
        process(51, "VmSwap:\t      12 kB\n");
        process((int) ProcessHandle.current().pid(), "VmSwap:\t  999999 kB\n");
        Files.createDirectories(proc.resolve("self"));
        assertThat(new Swapping(DEVICE, proc).largest())
                .hasSize(Swapping.MOST)
                .startsWith(new Swapping.Share(40, 5000), new Swapping.Share(39, 4900))
                .endsWith(new Swapping.Share(17, 2700));
    }

    @Test
    void aDeviceThatIsNotSwappedToIsRefusedAndAnEnd() throws IOException {
        Swapping swapping = new Swapping(DEVICE);
        assertThat(swapping.hasEnded()).isTrue();
        if (PageFaultEvents.refusal().isEmpty()) {
            try (PageFaultEvents events = new PageFaultEvents(1)) {
                assertThatThrownBy(() -> swapping.begin(events)).hasMessageContaining("nothing is swapped to");
            }
        }
    }
}
