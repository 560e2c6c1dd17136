package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwapTest {
    private static final UUID ID = UUID.fromString("01020304-0506-0708-090a-0b0c0d0e0f10");
    private static final SwapOwner OWNER = new SwapOwner(new UUID(1, 2), new UUID(3, 4), "a-host.example");

    @Test
    void the_header_is_what_the_kernel_reads() {
        ByteBuffer page = SwapHeader.encode(100 * 4096L + 17, 4096, ID, "leap-nbd", OWNER);

        assertThat(page.getInt(1024)).isEqualTo(1);
        assertThat(page.getInt(1028)).isEqualTo(99);
        assertThat(page.getInt(1032)).isZero();
        assertThat(page.get(1036)).isEqualTo((byte) 1);
        assertThat(page.get(1051)).isEqualTo((byte) 16);
        byte[] magic = new byte[10];
        page.get(4086, magic);
        assertThat(new String(magic, StandardCharsets.US_ASCII)).isEqualTo("SWAPSPACE2");
    }

    @Test
    void the_header_says_whose_area_it_is() {
        ByteBuffer page = SwapHeader.encode(100 * 4096L, 4096, ID, "leap-nbd", OWNER);
        assertThat(SwapHeader.uuid(page)).contains(ID);
        assertThat(SwapHeader.owner(page)).contains(OWNER);
        page.put(0, (byte) 'x');
        assertThat(SwapHeader.uuid(page))
                .as("mkswap leaves the boot bits alone")
                .contains(ID);
        assertThat(SwapHeader.owner(page)).isEmpty();
        assertThat(SwapHeader.uuid(ByteBuffer.allocate(4096))).isEmpty();
    }

    @Test
    void the_longest_host_name_fits_into_the_boot_bits() {
        SwapOwner owner = SwapOwner.of(new Machine(new UUID(1, 2), new UUID(3, 4), "h".repeat(300)));
        assertThat(SwapHeader.owner(SwapHeader.encode(1 << 20, 4096, ID, "", owner)))
                .contains(owner);
    }

    @Test
    void a_machine_is_itself_again_and_has_one_boot() {
        assertThat(Machine.here()).isEqualTo(Machine.here());
    }

    @Test
    void a_long_label_is_cut_and_stays_terminated() {
        ByteBuffer page = SwapHeader.encode(1 << 20, 4096, ID, "a-label-that-is-far-too-long", OWNER);
        assertThat(page.get(1052 + 14)).isEqualTo((byte) 's');
        assertThat(page.get(1052 + 15)).isZero();
    }

    @Test
    void an_area_that_is_too_small_is_refused() {
        assertThatThrownBy(() -> SwapHeader.encode(9 * 4096, 4096, ID, "", OWNER))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("10 pages");
    }

    @Test
    void swaplabel_reads_what_was_written(@TempDir Path directory) throws IOException, InterruptedException {
        Path tool = Path.of("/sbin/swaplabel");
        assumeTrue(Files.isExecutable(tool), tool + " is not there: util-linux is not installed");
        Path area = directory.resolve("area");
        Files.write(area, new byte[1 << 20]);
        try (FileChannel file = FileChannel.open(area, StandardOpenOption.WRITE)) {
            file.write(SwapHeader.encode(1 << 20, 4096, ID, "leap-nbd", OWNER), 0);
        }

        Process process = new ProcessBuilder(tool.toString(), area.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        assertThat(output).contains("leap-nbd").contains(ID.toString());
    }

    @Test
    void areas_in_use_are_read_from_the_kernels_list() {
        List<SwapArea> areas = SwapArea.parse(List.of(
                "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority",
                "/dev/nbd0                               partition\t1048572\t\t256\t\t100",
                "/swap\\040file                          file\t\t2048\t\t0\t\t-2"));
        assertThat(areas)
                .containsExactly(
                        new SwapArea(Path.of("/dev/nbd0"), 1048572L << 10, 256L << 10),
                        new SwapArea(Path.of("/swap file"), 2048L << 10, 0));
    }

    @Test
    void to_swap_on_what_is_no_device_fails_with_the_kernels_reason(@TempDir Path directory) {
        assertThatThrownBy(() -> SwapArea.on(directory.resolve("missing"), 1, true))
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith("swapon: ");
        assertThatThrownBy(() -> SwapArea.off(directory.resolve("missing")))
                .isInstanceOf(LinuxException.class)
                .hasMessageStartingWith("swapoff: ");
    }
}
