package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryGroupTest {

    @TempDir
    private Path root;

    @Test
    void theGroupIsInTheHierarchyThatHasTheMemoryController() {
        String mounts = """
                cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
                cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
                """;
        assertThat(MemoryGroup.in(mounts, "4:memory:/a/b\n0::/c"))
                .contains(new MemoryGroup(Path.of("/sys/fs/cgroup/memory/a/b"), false));
        assertThat(MemoryGroup.in("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "0::/c"))
                .contains(new MemoryGroup(Path.of("/sys/fs/cgroup/c"), true));
        assertThat(MemoryGroup.in("proc /proc proc rw 0 0\n", "0::/c")).isEmpty();
    }

    @Test
    void theLimitIsTheLeastOfTheGroupsOwnAndThoseAboveIt() throws IOException {
        Path outer = root.resolve("outer");
        Path inner = outer.resolve("inner");
        Files.createDirectories(inner);
        for (Path group : new Path[] {outer, inner}) {
            Files.writeString(group.resolve("cgroup.procs"), "12\n13\n");
            Files.writeString(group.resolve("cgroup.controllers"), "memory");
        }
        Files.writeString(outer.resolve("memory.max"), "8192000\n");
        Files.writeString(inner.resolve("memory.max"), "max\n");
        MemoryGroup group = MemoryGroup.at(inner).orElseThrow();
        assertThat(group.unified()).isTrue();
        assertThat(group.limitPages()).isEqualTo(2000);
        assertThat(group.processes()).containsExactly(12, 13);
        Files.writeString(inner.resolve("memory.high"), "4096000\n");
        assertThat(group.limitPages()).isEqualTo(1000);
        assertThat(MemoryGroup.at(root)).isEmpty();
    }

    @Test
    void aUnitsGroupIsFoundByItsNameInWhateverSliceItIs() throws IOException {
        Path redis = root.resolve("system.slice/redis.service");
        Path slice = root.resolve("user.slice");
        for (Path group : new Path[] {redis, slice, root.resolve("system.slice/redis.service.d")}) {
            Files.createDirectories(group);
            Files.writeString(group.resolve("cgroup.procs"), "7\n");
        }
        assertThat(MemoryGroup.ofUnit("redis", root)).contains(new MemoryGroup(redis, false));
        assertThat(MemoryGroup.ofUnit("redis.service", root)).contains(new MemoryGroup(redis, false));
        assertThat(MemoryGroup.ofUnit("user.slice", root)).contains(new MemoryGroup(slice, false));
        assertThat(MemoryGroup.ofUnit("redi", root)).isEmpty();
        assertThat(MemoryGroup.ofUnit("user", root)).isEmpty();
    }

    @Test
    void version1SaysTheLimitInItsStatistics() throws IOException {
        Files.writeString(root.resolve("cgroup.procs"), "");
        Files.writeString(root.resolve("memory.stat"), "cache 0\nhierarchical_memory_limit 409600\n");
        MemoryGroup group = MemoryGroup.at(root).orElseThrow();
        assertThat(group.unified()).isFalse();
        assertThat(group.limitPages()).isEqualTo(100);
        assertThat(group.processes()).isEmpty();
    }
}
