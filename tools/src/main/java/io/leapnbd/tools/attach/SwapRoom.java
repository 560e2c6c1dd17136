package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Whether the pages that a device holds have somewhere to go before swapping on it is ended. */
final class SwapRoom {
    private SwapRoom() {}

    /** Why it would fail, with both numbers; nothing when there is room. */
    static Optional<String> lacking(Path device) throws IOException {
        Optional<SwapArea> area = SwapArea.on(device);
        if (area.isEmpty()) {
            return Optional.empty();
        }
        long elsewhere = 0;
        for (SwapArea other : SwapArea.inUse()) {
            elsewhere += other.device().equals(device) ? 0 : other.bytes() - other.used();
        }
        long available = HostSetting.meminfo("MemAvailable").orElse(Long.MAX_VALUE / 2048) * 1024;
        return lacking(device, area.get().used(), available, elsewhere);
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
