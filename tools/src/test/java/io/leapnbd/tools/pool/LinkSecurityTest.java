package io.leapnbd.tools.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.DonorAddress;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which donors a server may reach without a pool, and without a word. */
class LinkSecurityTest {

    private static final PoolFolder POOL = new PoolFolder(Path.of("pool"));

    private static List<DonorAddress> donors(String list) {
        return DonorAddress.parseList(list);
    }

    @Test
    void donorsOfThisMachineNeedNothing() {
        assertThat(LinkSecurity.NONE.objection(donors("127.0.0.1,127.0.0.2:9500,[::1]:9400,localhost:9600")))
                .isNull();
        assertThat(LinkSecurity.NONE.exposes(donors("127.0.0.1"))).isFalse();
    }

    @Test
    void aDonorElsewhereNeedsAPoolOrAWord() {
        List<DonorAddress> far = donors("127.0.0.1,192.0.2.1");
        assertThat(LinkSecurity.NONE.objection(far)).contains("tcp://192.0.2.1:9400", "--pool", "--insecure");
        assertThat(new LinkSecurity(POOL, false, true).objection(far)).isNull();
        assertThat(new LinkSecurity(POOL, false, true).exposes(far)).isFalse();
        assertThat(new LinkSecurity(null, true, true).objection(far)).isNull();
        assertThat(new LinkSecurity(null, true, true).exposes(far)).isTrue();
    }

    @Test
    void aNameMayComeToBeAnywhere() {
        assertThat(LinkSecurity.NONE.objection(donors("no-such-host.invalid"))).contains("--insecure");
    }

    @Test
    void overRdmaAPoolIsEnoughForPagesThatAreEncrypted() {
        List<DonorAddress> far = donors("rdma://192.0.2.1:9400");
        assertThat(new LinkSecurity(POOL, false, true).objection(far)).isNull();
        assertThat(new LinkSecurity(POOL, false, true).exposes(far)).isFalse();
    }

    @Test
    void overRdmaPagesThatAreNotEncryptedNeedAWordAlsoInAPool() {
        List<DonorAddress> far = donors("192.0.2.2:9400,rdma://192.0.2.1:9400");
        assertThat(new LinkSecurity(POOL, false, false).objection(far))
                .contains("rdma://192.0.2.1:9400", "--encrypt", "tcp", "--insecure");
        assertThat(new LinkSecurity(POOL, true, false).objection(far)).isNull();
        assertThat(new LinkSecurity(POOL, true, false).exposes(far)).isTrue();
        assertThat(new LinkSecurity(POOL, false, false).objection(donors("rdma://127.0.0.1:9400")))
                .isNull();
    }

    @Test
    void overRdmaWithoutAPoolAWordIsNeededEverywhere() {
        for (String donor : List.of("rdma://127.0.0.1:9400", "rdma://192.0.2.1:9400")) {
            assertThat(new LinkSecurity(null, false, true).objection(donors(donor)))
                    .contains(donor, "--pool", "--insecure");
            assertThat(new LinkSecurity(null, true, true).objection(donors(donor)))
                    .isNull();
            assertThat(new LinkSecurity(null, true, true).exposes(donors(donor)))
                    .isTrue();
        }
    }
}
