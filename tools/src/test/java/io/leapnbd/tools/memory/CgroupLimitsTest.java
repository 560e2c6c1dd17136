package io.leapnbd.tools.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.memory.MachineMemory.Bound;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** G3: a container's limit is looked at, wherever in the hierarchy it is. */
class CgroupLimitsTest {

    private static final String V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    private static final String V1 = """
            36 25 0:31 %s /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            37 25 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
            """;

    @TempDir
    private Path top;

    @Test
    void aLimitOfAnOuterGroupCountsToo() throws Exception {
        put("sys/fs/cgroup/a/b/memory.max", "max");
        put("sys/fs/cgroup/a/memory.max", "1000000000");
        put("sys/fs/cgroup/a/memory.current", "700000000");
        put("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 50000000\n");
        assertThat(CgroupLimits.of(top, V2, "0::/a/b\n")).singleElement().satisfies(bound -> {
            assertThat(bound.total()).isEqualTo(1_000_000_000);
            assertThat(bound.available()).isEqualTo(350_000_000);
            assertThat(bound.name()).contains("/sys/fs/cgroup/a/memory.max");
        });
    }

    @Test
    void withACgroupNamespaceTheMountPointHasTheLimit() throws Exception {
        put("sys/fs/cgroup/memory.max", "419430400");
        assertThat(CgroupLimits.of(top, V2, "0::/\n")).extracting(Bound::total).containsExactly(419_430_400L);
        // Of a process that was moved in from outside.
        assertThat(CgroupLimits.of(top, V2, "0::/../other\n"))
                .extracting(Bound::total)
                .containsExactly(419_430_400L);
    }

    @Test
    void aGroupThatIsSlowedDownFromSomeSizeOnIsFullThere() throws Exception {
        put("sys/fs/cgroup/a/memory.max", "800");
        put("sys/fs/cgroup/a/memory.high", "600");
        assertThat(CgroupLimits.of(top, V2, "0::/a\n")).extracting(Bound::total).containsExactly(800L, 600L);
    }

    @Test
    void version1IsLookedAtAlsoWhereTheContainersGroupIsTheRootOfTheMount() throws Exception {
        put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
        put("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "500000000");
        put("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "100000000");
        String groups = "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n";
        assertThat(CgroupLimits.of(top, V1.formatted("/"), groups))
                .extracting(Bound::total, Bound::available)
                .containsExactly(org.assertj.core.groups.Tuple.tuple(500_000_000L, 400_000_000L));

        put("sys/fs/cgroup/memory/memory.limit_in_bytes", "300000000");
        assertThat(CgroupLimits.of(top, V1.formatted("/docker/x"), groups))
                .extracting(Bound::total)
                .containsExactly(300_000_000L);
    }

    @Test
    void withoutLimitsThereAreNone() {
        assertThat(CgroupLimits.of(top, V2 + V1.formatted("/"), "0::/a\n3:memory:/b\n"))
                .isEmpty();
        assertThat(CgroupLimits.of(top, "nonsense\n", "nonsense\n")).isEmpty();
    }

    private void put(String file, String text) throws IOException {
        Path path = top.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }
}
