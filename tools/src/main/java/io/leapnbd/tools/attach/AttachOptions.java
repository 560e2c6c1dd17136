package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.http.EndpointAddress;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What {@code attach} was asked for.
 *
 * @param server where to
 * @param device which; empty for any that is free
 * @param connections how many
 * @param requestTimeout seconds after which an unanswered request gives its connection up
 * @param deadTimeout seconds for which requests wait for the server to come back
 * @param swap whether to swap on the device
 * @param priority of the swap area, 0 to 32767
 * @param discard whether to tell the server which pages are free
 * @param pageCluster what to set vm.page-cluster to; empty to leave it
 * @param hostSettings whether to change the machine's settings
 * @param adopt whether to do nothing but take over a device that is attached
 * @param takeOver whether to overwrite what the export's first page has
 * @param push whether to push pages for what pages out to the device
 * @param pushHttp where figures of that are shown; empty for nowhere
 * @param directory of the state files
 */
record AttachOptions(
        Server server,
        Optional<Path> device,
        int connections,
        int requestTimeout,
        int deadTimeout,
        boolean swap,
        int priority,
        boolean discard,
        Optional<Integer> pageCluster,
        boolean hostSettings,
        boolean adopt,
        boolean takeOver,
        boolean push,
        Optional<EndpointAddress> pushHttp,
        Path directory) {
    /** All of it but the server, which is not there yet. */
    interface Asked {
        AttachOptions of(Server server);
    }
}
