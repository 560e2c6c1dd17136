package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.linux.Protection;
import io.leapnbd.tools.service.Pulse;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.util.function.Consumer;

/** The process of {@code attach}: it has the device and nothing else. */
final class AttachProcess implements Resident {
    private final Consumer<String> report;
    private final Consumer<String> ready;
    private final ServiceNotice notice = ServiceNotice.here();

    /**
     * This process.
     *
     * @param report where lines for people go
     * @param ready where the one line goes that says that the device is there
     */
    AttachProcess(Consumer<String> report, Consumer<String> ready) {
        this.report = report;
        this.ready = ready;
    }

    @Override
    public SwapOffChild protect() throws IOException {
        SwapOffChild swapOff = SwapOffChild.start(); // the last fork
        for (Protection.Finding finding : Protection.apply(Protection.SWAP_PATH, "attach")) {
            if (!finding.ok()) {
                report.accept("not protected: " + finding);
            }
        }
        return swapOff;
    }

    @Override
    public void begins(Ending ending) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(ending), "detach"));
    }

    @Override
    public boolean hasRunFile() {
        return false;
    }

    @Override
    public void ready(Device device, Pulse pulse) {
        String uri = device.server().uri();
        ready.accept("ready " + device.path() + " " + uri + ", export '" + device.export() + "'" + device.how());
        notice.ready(device.path() + " is connected to " + uri + device.how(), pulse);
    }

    private void end(Ending ending) {
        try {
            if (ending.end(notice)) {
                Runtime.getRuntime().halt(ExitCode.OK); // 143 would say that the signal killed it
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
