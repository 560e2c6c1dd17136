package io.leapnbd.donor.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.StructLayout;
import org.junit.jupiter.api.Test;

/** Offsets and sizes as a C compiler prints them for the headers of rdma-core 44 on x86-64. */
class VerbsLayoutTest {

    private static void at(StructLayout struct, String field, long offset) {
        assertThat(VerbsLayout.offset(struct, field)).as(field).isEqualTo(offset);
    }

    @Test
    void theFunctionsOfADeviceAreWhereTheHeadersCallThem() {
        at(VerbsLayout.CONTEXT, "poll_cq", 96);
        at(VerbsLayout.CONTEXT, "req_notify_cq", 104);
        at(VerbsLayout.CONTEXT, "post_send", 208);
        at(VerbsLayout.CONTEXT, "post_recv", 216);
        at(VerbsLayout.CONTEXT, "cmd_fd", 264);
        at(VerbsLayout.CONTEXT, "async_fd", 268);
        at(VerbsLayout.CONTEXT, "num_comp_vectors", 272);
    }

    @Test
    void objectsOfTheLibrariesAreLaidOutAsTheirs() {
        at(VerbsLayout.CM_ID, "qp", 24);
        at(VerbsLayout.CM_ID, "src_addr", 32);
        at(VerbsLayout.CM_ID, "dst_addr", 160);
        at(VerbsLayout.CM_EVENT, "event", 16);
        at(VerbsLayout.CM_EVENT, "private_data", 24);
        at(VerbsLayout.CM_EVENT, "private_data_len", 32);
        at(VerbsLayout.MR, "lkey", 36);
        at(VerbsLayout.MR, "rkey", 40);
        at(VerbsLayout.QP, "qp_num", 52);
        at(VerbsLayout.QP, "qp_type", 60);
        at(VerbsLayout.COMP_CHANNEL, "fd", 8);
    }

    @Test
    void whatIsHandedToTheLibrariesHasTheirSizes() {
        assertThat(VerbsLayout.CONN_PARAM.byteSize()).isEqualTo(24);
        at(VerbsLayout.CONN_PARAM, "rnr_retry_count", 13);
        assertThat(VerbsLayout.QP_INIT_ATTR.byteSize()).isEqualTo(64);
        at(VerbsLayout.QP_INIT_ATTR, "qp_type", 52);
        assertThat(VerbsLayout.QP_ATTR.byteSize()).isEqualTo(144);
        at(VerbsLayout.QP_ATTR, "qp_access_flags", 32);
        at(VerbsLayout.QP_ATTR, "pkey_index", 120);
        at(VerbsLayout.QP_ATTR, "port_num", 129);
        assertThat(VerbsLayout.DEVICE_ATTR.byteSize()).isEqualTo(232);
        at(VerbsLayout.DEVICE_ATTR, "max_qp_rd_atom", 144);
        at(VerbsLayout.DEVICE_ATTR, "max_qp_init_rd_atom", 156);
        assertThat(VerbsLayout.sendRequestSize()).isEqualTo(128);
        assertThat(VerbsLayout.remoteAddressOffset()).isEqualTo(40);
        assertThat(VerbsLayout.remoteKeyOffset()).isEqualTo(48);
        assertThat(VerbsLayout.receiveRequestSize()).isEqualTo(32);
        assertThat(VerbsLayout.elementSize()).isEqualTo(16);
        assertThat(VerbsLayout.completionSize()).isEqualTo(48);
    }
}
