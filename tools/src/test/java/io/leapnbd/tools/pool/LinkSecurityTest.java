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
        assertThat(new LinkSecurity(POOL, false).objection(far)).isNull();
        assertThat(new LinkSecurity(POOL, false).exposes(far)).isFalse();
        assertThat(new LinkSecurity(null, true).objection(far)).isNull();
        assertThat(new LinkSecurity(null, true).exposes(far)).isTrue();
    }

    @Test
    void aNameMayComeToBeAnywhere() {
        assertThat(LinkSecurity.NONE.objection(donors("no-such-host.invalid"))).contains("--insecure");
    }

    @Test
    void overRdmaAPoolIsOfNoUse() {
        List<DonorAddress> near = donors("rdma://127.0.0.1:9400");
        assertThat(new LinkSecurity(POOL, false).objection(near)).contains("over RDMA", "--insecure");
        assertThat(new LinkSecurity(POOL, true).objection(near)).isNull();
        assertThat(new LinkSecurity(POOL, true).exposes(near)).isTrue();
    }
}
