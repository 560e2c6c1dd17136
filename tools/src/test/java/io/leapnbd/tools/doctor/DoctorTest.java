package io.leapnbd.tools.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class DoctorTest {
    @TempDir
    private Path root;

    private void file(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }

    private void healthy() throws IOException {
        file("proc/sys/kernel/osrelease", "6.1.0-18-amd64");
        file("lib/modules/6.1.0-18-amd64/modules.dep", "kernel/drivers/block/nbd.ko:");
        file("proc/swaps", "Filename Type Size Used Priority");
        file("proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0");
        file("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids");
        file("sys/module/zswap/parameters/enabled", "N");
        file("proc/meminfo", "MemTotal: 4000000 kB");
        file("proc/sys/vm/min_free_kbytes", "400000");
        file("proc/sys/vm/watermark_scale_factor", "1000");
        file("proc/sys/vm/watermark_boost_factor", "0");
        file("proc/sys/vm/swappiness", "60");
        file("proc/sys/vm/page-cluster", "3");
        file("proc/sys/vm/overcommit_memory", "0");
    }

    private List<Check> wrong() {
        return new KernelChecks(root)
                .all().stream()
                        .filter(check -> check.status() != Check.Status.OK)
                        .toList();
    }

    @Test
    void a_machine_that_has_everything_has_nothing_to_fix() throws IOException {
        healthy();
        assertThat(wrong()).isEmpty();
    }

    @Test
    void every_lack_is_found_with_a_remedy() throws IOException {
        healthy();
        file("lib/modules/6.1.0-18-amd64/modules.dep", "kernel/drivers/block/loop.ko:");
        file("sys/fs/cgroup/cgroup.controllers", "cpu io");
        file("sys/module/zswap/parameters/enabled", "Y");
        file("proc/sys/vm/min_free_kbytes", "2000");
        file("proc/sys/vm/watermark_boost_factor", "15000");
        file("proc/sys/vm/swappiness", "0");
        file("proc/sys/vm/overcommit_memory", "2");
        file("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 100 0 200");
        assertThat(wrong())
                .extracting(Check::name)
                .containsExactlyInAnyOrder(
                        "nbd driver",
                        "cgroup v2",
                        "zswap",
                        "vm.min_free_kbytes",
                        "vm.watermark_boost_factor",
                        "vm.swappiness",
                        "overcommit",
                        "swap");
        assertThat(wrong()).allSatisfy(check -> assertThat(check.remedy()).isNotEmpty());
        assertThat(DoctorCommand.exitCode(wrong())).isEqualTo(1);
    }

    @Test
    void an_old_kernel_fails_and_one_without_io_flushers_is_warned_about() throws IOException {
        healthy();
        file("proc/sys/kernel/osrelease", "4.9.0");
        assertThat(new KernelChecks(root).release().status()).isEqualTo(Check.Status.FAIL);
        file("proc/sys/kernel/osrelease", "5.4.0-1-amd64");
        assertThat(new KernelChecks(root).release().status()).isEqualTo(Check.Status.WARN);
        file("proc/sys/kernel/osrelease", "what");
        assertThat(new KernelChecks(root).release().status()).isEqualTo(Check.Status.FAIL);
    }

    @Test
    void warnings_alone_are_no_failure() {
        assertThat(DoctorCommand.exitCode(List.of(Check.ok("a", "b"), Check.warn("c", "d", "e"))))
                .isZero();
    }

    @Test
    void a_line_has_status_name_finding_and_remedy() {
        assertThat(DoctorCommand.text(List.of(Check.warn("zswap", "on", "turn it off"))))
                .matches("warn {2}zswap +on – turn it off");
    }

    @Test
    void the_command_checks_this_machine_in_both_forms() {
        for (String[] args : List.of(new String[0], new String[] {"--json"})) {
            StringWriter out = new StringWriter();
            CommandLine command = new CommandLine(new DoctorCommand()).setOut(new PrintWriter(out));
            int code = command.execute(args);
            assertThat(code).isIn(0, 1);
            assertThat(out.toString()).contains("kernel").contains("Java").contains("CAP_SYS_ADMIN");
        }
    }

    @Test
    void a_run_folder_that_others_may_write_to_is_found_with_a_remedy() throws IOException {
        Path folder = Files.createDirectory(root.resolve("run"));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(SecurityChecks.folder(folder).status()).isEqualTo(Check.Status.OK);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(SecurityChecks.folder(folder)).satisfies(check -> {
            assertThat(check.status()).isEqualTo(Check.Status.WARN);
            assertThat(check.detail()).contains("anybody may write to the folder " + folder);
            assertThat(check.remedy()).contains("chmod o-w " + folder);
        });
        assertThat(SecurityChecks.folder(root.resolve("nowhere")).status()).isEqualTo(Check.Status.OK);
    }

    @Test
    void what_push_lacks_is_said_with_what_to_do() {
        assertThat(PushChecks.advice(0).status()).isEqualTo(Check.Status.OK);
        assertThat(PushChecks.advice(-1)).satisfies(check -> {
            assertThat(check.status()).isEqualTo(Check.Status.FAIL);
            assertThat(check.remedy()).contains("CAP_SYS_NICE");
        });
        assertThat(PushChecks.advice(-38).remedy()).contains("Linux 5.15");
        assertThat(PushChecks.faults(java.util.Optional.of("permission denied"), "4"))
                .satisfies(check -> {
                    assertThat(check.status()).isEqualTo(Check.Status.FAIL);
                    assertThat(check.detail()).contains("perf_event_paranoid is 4");
                    assertThat(check.remedy()).contains("CAP_PERFMON");
                });
        assertThat(PushChecks.faults(java.util.Optional.empty(), "2").status()).isEqualTo(Check.Status.OK);
        assertThat(PushChecks.all())
                .extracting(Check::name)
                .contains("process_madvise", "page fault events", "pagemap", "server of the swap device");
        assertThat(PushChecks.pageCluster(true).status()).isEqualTo(Check.Status.OK);
        assertThat(PushChecks.pageCluster(false).remedy()).contains("run as root");
    }
}
