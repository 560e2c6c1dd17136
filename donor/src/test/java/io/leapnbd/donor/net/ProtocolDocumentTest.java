package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProtocolDocumentTest {

    @Test
    void theDocumentsExampleIsWhatADonorAnswers() throws Exception {
        List<String> lines = Files.readAllLines(Path.of("PROTOCOL.md"));
        int compared = 0;
        try (SlabStore store = SlabStore.open(StoreSettings.ofMemory(4 * Protocol.MIN_SLAB_SIZE, Protocol.MIN_SLAB_SIZE)
                        .withReadySlabs(0));
                DonorServer server = DonorServer.start(
                        store,
                        ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                                .withLoops(LoopSettings.of(1)));
                RawLink link = new RawLink(server.address())) {
            for (String line : lines) {
                String bytes = line.length() < 2 ? "" : line.substring(2).replace(" ", "");
                if (line.startsWith("> ")) {
                    link.send(HexFormat.of().parseHex(bytes));
                } else if (line.startsWith("< ")) {
                    String answer = HexFormat.of()
                            .formatHex(link.socket.getInputStream().readNBytes(bytes.length() / 2));
                    assertThat(answer).matches(bytes);
                    compared += bytes.length() / 2;
                }
            }
        }
        assertThat(compared).isGreaterThan(500);
    }
}
