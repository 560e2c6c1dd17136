package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.Cgroup;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Whether the pages that a device holds have somewhere to go before swapping on it is ended. */
final class SwapRoom {
    private SwapRoom() {}

    /** Why it would fail, with both numbers; nothing when there is room. */
    static Optional<String> lacking(Path device) throws IOException {
        return lacking(device, 0, 0);
    }

    /** The same for when this process has gone, whose memory is free then and whose pages need not come home. */
    static Optional<String> withoutThisProcess(Path device) throws IOException {
        return lacking(device, own("RssAnon"), own("VmSwap"));
    }

    private static long own(String field) throws IOException {
        return KernelFile.read(Path.of("/proc/self/status"))
                .orElse("")
                .lines()
                .filter(line -> line.startsWith(field + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                .findFirst()
                .orElse(0);
    }

    private static Optional<String> lacking(Path device, long ownMemory, long ownSwapped) throws IOException {
        Optional<SwapArea> area = SwapArea.on(device);
        if (area.isEmpty()) {
            return Optional.empty();
        }
        long elsewhere = 0;
        for (SwapArea other : SwapArea.inUse()) {
            elsewhere += other.device().equals(device) ? 0 : other.bytes() - other.used();
        }
        long available = HostSetting.meminfo("MemAvailable").orElse(Long.MAX_VALUE / 2048) * 1024 + ownMemory;
        long used = Math.max(0, area.get().used() - ownSwapped);
        Optional<String> machine = lacking(device, used, available, elsewhere);
        return machine.isPresent() || elsewhere > 0 ? machine : limited();
    }

    /** Pages of a command with a memory limit must fit below that limit, or the kernel ends the command for them. */
    private static Optional<String> limited() {
        return Cgroup.ours("run-").stream()
                .flatMap(group -> limited(
                        group.directory().getFileName().toString(),
                        bytes(group, "memory.current"),
                        bytes(group, "memory.swap.current"),
                        bytes(group, "memory.max"))
                        .stream())
                .findFirst();
    }

    static Optional<String> limited(String group, long memory, long swapped, long max) {
        if (swapped <= 0 || memory + swapped <= max) {
            return Optional.empty();
        }
        return Optional.of("the processes in cgroup " + group + " have " + Size.approximate(swapped)
                + " paged out and a limit of " + Size.approximate(max)
                + ": end them, or raise memory.max in /sys/fs/cgroup/" + group);
    }

    /** No number ("max", or a group that has just gone) is no limit and no use. */
    private static long bytes(Cgroup group, String file) {
        return KernelFile.readLong(group.directory().resolve(file))
                .orElse(file.equals("memory.max") ? Long.MAX_VALUE : 0L);
    }

    static Optional<String> lacking(Path device, long used, long available, long elsewhere) {
        if (used <= available + elsewhere) {
            return Optional.empty();
        }
        return Optional.of(device + " holds " + Size.approximate(used) + " of pages and there is room for "
                + Size.approximate(available + elsewhere) + " (memory " + Size.approximate(available)
                + ", other swap " + Size.approximate(elsewhere) + "): end some programs first");
    }
}
