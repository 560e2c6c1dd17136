package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a process asks of the kernel for itself, on the kernel that runs the tests. */
class ProcessTest {
    @Test
    void locked_memory_shows_in_the_kernels_own_account_and_goes_again_or_is_refused_to_who_may_not()
            throws IOException {
        if (!Capability.CAP_IPC_LOCK.held() && ResourceLimit.memlock().soft() != ResourceLimit.UNLIMITED) {
            assertThatThrownBy(MemoryLock::lockAll)
                    .isInstanceOf(LinuxException.class)
                    .hasMessageStartingWith("mlockall: ");
            return;
        }
        MemoryLock.lockAll();
        try {
            assertThat(lockedKib()).isPositive();
        } finally {
            MemoryLock.unlockAll();
        }
        assertThat(lockedKib()).isZero();
    }

    private static long lockedKib() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmLck:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .sum();
    }

    @Test
    void the_image_of_the_jdks_classes_and_the_stacks_of_threads_are_not_brought_in() {
        List<MemoryLock.Mapping> mappings = MemoryLock.mappings("""
                7f0000000000-7f0000001000 r--s 00000000 fd:00 131                        /opt/jdk 25/lib/modules
                Anonymous:             0 kB
                7f0000002000-7f0000005000 rw-p 00000000 00:00 0
                Anonymous:             4 kB
                7f0000006000-7f0000007000 ---p 00000000 00:00 0
                Anonymous:             0 kB
                7f0000007000-7f0000047000 rw-p 00000000 00:00 0
                Anonymous:             8 kB
                VmFlags: rd wr mr mw me ac sd
                ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
                """);
        assertThat(mappings).hasSize(5);
        assertThat(mappings.get(1).start()).isEqualTo(0x7f0000002000L);
        assertThat(mappings.get(1).length()).isEqualTo(0x3000);
        assertThat(mappings.stream().map(MemoryLock.Mapping::wanted)).containsExactly(false, true, false, false, false);
    }

    @Test
    void only_what_a_file_can_give_back_is_let_go() {
        List<MemoryLock.Mapping> mappings = MemoryLock.mappings("""
                7f0000000000-7f0000001000 r-xp 00001000 fd:00 131                        /opt/jdk 25/lib/server/libjvm.so
                Anonymous:             0 kB
                7f0000001000-7f0000002000 r--p 00002000 fd:00 131                        /opt/jdk 25/lib/server/libjvm.so
                Anonymous:             4 kB
                7f0000002000-7f0000003000 rw-p 00003000 fd:00 131                        /opt/jdk 25/lib/server/libjvm.so
                Anonymous:             0 kB
                7f0000006000-7f0000007000 r--p 00000000 00:00 0
                Anonymous:             0 kB
                """);
        assertThat(mappings.stream().map(MemoryLock.Mapping::restorable)).containsExactly(true, false, false, false);
        // Relocated pointers, which are only to be read but are not the file's, stay and are locked.
        assertThat(mappings.stream().map(MemoryLock.Mapping::wanted)).containsExactly(false, true, true, true);
    }

    @Test
    void a_thread_becomes_realtime_and_ordinary_again_or_is_refused_to_who_may_not() throws IOException {
        int before = Scheduling.of(0);
        if (!Capability.CAP_SYS_NICE.held() && realtimeLimit().equals("0")) {
            assertThatThrownBy(() -> Scheduling.set(0, Scheduling.RR, 1))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("operation not permitted");
            assertThat(Scheduling.of(0)).isEqualTo(before);
            return;
        }
        Scheduling.set(0, Scheduling.RR, 1);
        try {
            assertThat(Scheduling.of(0)).isEqualTo(Scheduling.RR);
            assertThat(Scheduling.isRealtime(Scheduling.of(0))).isTrue();
        } finally {
            Scheduling.set(0, before, 0);
        }
        assertThat(Scheduling.of(0)).isEqualTo(before);
    }

    /**
     * Loops wait for what the JIT's threads hold, without an end. When those were in the ordinary class, sixteen loops on two processors
     * stood still for a second at a time, and gave up all links.
     */
    @Test
    void no_thread_is_left_behind_in_the_ordinary_class_not_even_the_jits() throws Exception {
        Process process = java(RealtimeProbe.class);
        List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        assertThat(process.waitFor()).as(lines.toString()).isZero();
        if (!Capability.CAP_SYS_NICE.held() && realtimeLimit().equals("0")) {
            assertThat(lines.getFirst()).contains("operation not permitted");
        } else {
            assertThat(lines.subList(1, lines.size())).isEmpty();
        }
    }

    private static String realtimeLimit() throws IOException {
        String title = "Max realtime priority";
        return Files.readAllLines(Path.of("/proc/self/limits")).stream()
                .filter(line -> line.startsWith(title))
                .map(line -> line.substring(title.length()).strip().split(" ", -1)[0])
                .findFirst()
                .orElseThrow();
    }

    @Test
    void the_io_flusher_mark_is_what_was_set_or_refused_to_who_may_not() throws IOException {
        if (Capability.CAP_SYS_RESOURCE.held()) {
            IoFlusher.set(true);
            try {
                assertThat(IoFlusher.isSet()).isTrue();
            } finally {
                IoFlusher.set(false);
            }
            assertThat(IoFlusher.isSet()).isFalse();
        } else {
            assertThatThrownBy(() -> IoFlusher.set(true))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("operation not permitted");
        }
    }

    @Test
    void a_limit_is_read_back_as_it_was_set() throws IOException {
        ResourceLimit limit = ResourceLimit.memlock();
        ResourceLimit.memlock(limit);
        assertThat(ResourceLimit.memlock()).isEqualTo(limit);
        assertThat(limit.soft()).isNotZero();
    }

    @Test
    void what_cannot_be_had_is_a_finding_with_a_remedy_and_not_an_exception() {
        List<Protection.Finding> findings = Protection.apply(Set.of(Protection.Measure.IO_FLUSHER), "test");
        assertThat(findings).hasSize(1);
        Protection.Finding finding = findings.getFirst();
        assertThat(finding.ok()).as("it was not set when the JVM started").isFalse();
        assertThat(finding.remedy()).isNotEmpty();
        assertThat(finding.toString()).doesNotContain("\n").contains(finding.detail());
    }

    @Test
    void a_capability_is_a_bit_of_the_effective_set() {
        assertThat(Capability.CAP_SYS_ADMIN.heldIn(1L << 21)).isTrue();
        assertThat(Capability.CAP_SYS_ADMIN.heldIn(~(1L << 21))).isFalse();
    }

    @Test
    void a_sysctl_file_is_read_whole() throws IOException {
        Path file = Path.of("/proc/sys/vm/min_free_kbytes");
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            assertThat(KernelFile.read(file)).contains(String.valueOf(reader.readLine()));
        }
    }

    @Test
    void a_replaced_process_is_the_command_with_its_exit_code_and_environment() throws Exception {
        List<String> line = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx32m",
                "-cp",
                System.getProperty("java.class.path"),
                ExecProbe.class.getName(),
                "sh",
                "-c",
                "grep SigBlk /proc/self/status; echo \"pid $$ $PROBE\"; exit 7"));
        ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
        builder.environment().put("PROBE", "from outside");
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(process.waitFor()).as(output).isEqualTo(7);
        assertThat(output).contains("pid " + process.pid() + " from outside").containsPattern("SigBlk:\\s+0{16}");
    }

    /** E5: the end of an ssh session. */
    @Test
    void who_ignores_a_hangup_stays_and_so_do_its_children() throws Exception {
        Process process = java(HangupProbe.class);
        try {
            BufferedReader output = process.inputReader();
            assertThat(output.readLine()).as("the child's ignored signals").matches("SigIgn:\\s+[0-9a-f]*[13579bdf]");
            assertThat(new ProcessBuilder("/bin/kill", "-HUP", Long.toString(process.pid()))
                            .inheritIO()
                            .start()
                            .waitFor())
                    .isZero();
            process.outputWriter().append('\n').flush();
            assertThat(output.readLine()).isEqualTo("alive");
            assertThat(process.waitFor()).isZero();
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void a_command_is_found_as_the_shell_finds_it() {
        assertThat(Exec.find("sh", "/nowhere:/bin")).contains(Path.of("/bin/sh"));
        assertThat(Exec.find("/bin/sh", "")).contains(Path.of("/bin/sh"));
        assertThat(Exec.find("no-such-command", "/bin:/usr/bin")).isEmpty();
    }

    /** Starts a class's main method in a JVM of its own. */
    private static Process java(Class<?> main) throws IOException {
        return new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xmx32m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        main.getName())
                .redirectErrorStream(true)
                .start();
    }
}
