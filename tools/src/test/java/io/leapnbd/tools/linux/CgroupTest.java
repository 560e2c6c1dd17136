package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupTest {
    @Test
    void the_unified_hierarchy_is_found_among_the_mounts() {
        assertThat(Cgroup.rootIn(
                        "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0"))
                .isEmpty();
        assertThat(Cgroup.rootIn("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0"))
                .contains(Path.of("/sys/fs/cgroup"));
    }

    @Test
    void a_processs_group_is_the_line_of_the_unified_hierarchy() {
        assertThat(Cgroup.pathIn("4:memory:/user\n0::/user.slice/a.scope\n")).contains("/user.slice/a.scope");
        assertThat(Cgroup.pathIn("4:memory:/user\n")).isEmpty();
    }

    @Test
    void without_the_unified_hierarchy_or_its_memory_controller_none_is_made(@TempDir Path root) throws IOException {
        assertThatThrownBy(() -> Cgroup.create(Optional.empty(), "test"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("this machine has no cgroup v2");
        Files.writeString(root.resolve("cgroup.controllers"), "cpu io pids\n");
        assertThatThrownBy(() -> Cgroup.create(Optional.of(root), "test"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("does not have the memory controller in " + root);
        assertThat(root.resolve("leap-nbd-test")).doesNotExist();
    }
}
