package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.http.EndpointAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Pushing for whatever has pages on one swap device, as a part of the process that keeps this device connected. */
public final class DevicePush implements AutoCloseable {

    private final PushService service;

    private DevicePush(PushService service) {
        this.service = service;
    }

    /**
     * Begins, and ends by itself when the device is not swapped to any more.
     *
     * @param server of the device, which is told what is pushed; it may come later
     * @param http where figures are shown and settings changed; null for nowhere
     * @param registered whether other commands find this process by a file already; else it gets one
     * @param report where a line for people goes when it has ended
     * @throws IOException in one sentence, if that is not possible here
     */
    public static DevicePush start(
            Path device, Server server, @Nullable EndpointAddress http, boolean registered, Consumer<String> report)
            throws IOException {
        AnnouncedReads announced = new AnnouncedReads();
        PushService service = PushService.open(
                Watched.device(device), PushSettings.DEFAULT, announced, SwapServerSearch.at(server), http, registered);
        AtomicBoolean said = new AtomicBoolean();
        service.start(_ -> {
            if (said.compareAndSet(false, true)) {
                report.accept("nothing is pushed any more");
            }
        });
        return new DevicePush(service);
    }

    @Override
    public void close() {
        service.close();
    }
}
