package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

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
}
