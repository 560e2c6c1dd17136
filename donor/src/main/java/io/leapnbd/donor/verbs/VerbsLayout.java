package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;

/**
 * The structures of {@code infiniband/verbs.h} and {@code rdma/rdma_cma.h} whose fields are looked at here, for 64-bit machines.
 * Pointers are longs. What is behind the last field that matters is left out where others allocate the structure.
 */
public final class VerbsLayout {

    /** {@code struct ibv_context}: the functions of the device's driver that the headers call inline, and descriptors. */
    static final StructLayout CONTEXT = MemoryLayout.structLayout(
            JAVA_LONG.withName("device"),
            MemoryLayout.paddingLayout(88),
            JAVA_LONG.withName("poll_cq"),
            JAVA_LONG.withName("req_notify_cq"),
            MemoryLayout.paddingLayout(96),
            JAVA_LONG.withName("post_send"),
            JAVA_LONG.withName("post_recv"),
            MemoryLayout.paddingLayout(40),
            JAVA_INT.withName("cmd_fd"),
            JAVA_INT.withName("async_fd"),
            JAVA_INT.withName("num_comp_vectors"));

    /** {@code struct rdma_cm_id}. */
    static final StructLayout CM_ID = MemoryLayout.structLayout(
            JAVA_LONG.withName("verbs"),
            JAVA_LONG.withName("channel"),
            JAVA_LONG.withName("context"),
            JAVA_LONG.withName("qp"),
            MemoryLayout.sequenceLayout(128, JAVA_BYTE).withName("src_addr"),
            MemoryLayout.sequenceLayout(128, JAVA_BYTE).withName("dst_addr"));

    /** {@code struct rdma_cm_event}. */
    static final StructLayout CM_EVENT = MemoryLayout.structLayout(
            JAVA_LONG.withName("id"),
            JAVA_LONG.withName("listen_id"),
            JAVA_INT.withName("event"),
            JAVA_INT.withName("status"),
            JAVA_LONG.withName("private_data"),
            JAVA_BYTE.withName("private_data_len"));

    /** {@code struct rdma_event_channel}. */
    static final StructLayout EVENT_CHANNEL = MemoryLayout.structLayout(JAVA_INT.withName("fd"));

    /** {@code struct rdma_conn_param}. */
    static final StructLayout CONN_PARAM = MemoryLayout.structLayout(
            JAVA_LONG.withName("private_data"),
            JAVA_BYTE.withName("private_data_len"),
            JAVA_BYTE.withName("responder_resources"),
            JAVA_BYTE.withName("initiator_depth"),
            JAVA_BYTE.withName("flow_control"),
            JAVA_BYTE.withName("retry_count"),
            JAVA_BYTE.withName("rnr_retry_count"),
            JAVA_BYTE.withName("srq"),
            MemoryLayout.paddingLayout(1),
            JAVA_INT.withName("qp_num"),
            MemoryLayout.paddingLayout(4));

    /** {@code struct ibv_pd}. */
    static final StructLayout PD =
            MemoryLayout.structLayout(JAVA_LONG.withName("context"), JAVA_INT.withName("handle"));

    /** {@code struct ibv_mr}. */
    static final StructLayout MR = MemoryLayout.structLayout(
            JAVA_LONG.withName("context"),
            JAVA_LONG.withName("pd"),
            JAVA_LONG.withName("addr"),
            JAVA_LONG.withName("length"),
            JAVA_INT.withName("handle"),
            JAVA_INT.withName("lkey"),
            JAVA_INT.withName("rkey"));

    /** {@code struct ibv_comp_channel}. */
    static final StructLayout COMP_CHANNEL =
            MemoryLayout.structLayout(JAVA_LONG.withName("context"), JAVA_INT.withName("fd"));

    /** {@code struct ibv_cq}. */
    static final StructLayout CQ =
            MemoryLayout.structLayout(JAVA_LONG.withName("context"), JAVA_LONG.withName("channel"));

    /** {@code struct ibv_qp}. */
    static final StructLayout QP = MemoryLayout.structLayout(
            JAVA_LONG.withName("context"),
            JAVA_LONG.withName("qp_context"),
            JAVA_LONG.withName("pd"),
            JAVA_LONG.withName("send_cq"),
            JAVA_LONG.withName("recv_cq"),
            JAVA_LONG.withName("srq"),
            JAVA_INT.withName("handle"),
            JAVA_INT.withName("qp_num"),
            JAVA_INT.withName("state"),
            JAVA_INT.withName("qp_type"));

    /** {@code struct ibv_qp_init_attr}. */
    static final StructLayout QP_INIT_ATTR = MemoryLayout.structLayout(
            JAVA_LONG.withName("qp_context"),
            JAVA_LONG.withName("send_cq"),
            JAVA_LONG.withName("recv_cq"),
            JAVA_LONG.withName("srq"),
            JAVA_INT.withName("max_send_wr"),
            JAVA_INT.withName("max_recv_wr"),
            JAVA_INT.withName("max_send_sge"),
            JAVA_INT.withName("max_recv_sge"),
            JAVA_INT.withName("max_inline_data"),
            JAVA_INT.withName("qp_type"),
            JAVA_INT.withName("sq_sig_all"),
            MemoryLayout.paddingLayout(4));

    /** {@code struct ibv_qp_attr}. */
    static final StructLayout QP_ATTR = MemoryLayout.structLayout(
            JAVA_INT.withName("qp_state"),
            MemoryLayout.paddingLayout(28),
            JAVA_INT.withName("qp_access_flags"),
            MemoryLayout.paddingLayout(84),
            JAVA_SHORT.withName("pkey_index"),
            MemoryLayout.paddingLayout(7),
            JAVA_BYTE.withName("port_num"),
            MemoryLayout.paddingLayout(14));

    /** {@code struct ibv_device_attr}. */
    static final StructLayout DEVICE_ATTR = MemoryLayout.structLayout(
            MemoryLayout.paddingLayout(80),
            JAVA_LONG.withName("max_mr_size"),
            JAVA_LONG.withName("page_size_cap"),
            MemoryLayout.paddingLayout(12),
            JAVA_INT.withName("max_qp"),
            JAVA_INT.withName("max_qp_wr"),
            MemoryLayout.paddingLayout(4),
            JAVA_INT.withName("max_sge"),
            MemoryLayout.paddingLayout(4),
            JAVA_INT.withName("max_cq"),
            JAVA_INT.withName("max_cqe"),
            MemoryLayout.paddingLayout(8),
            JAVA_INT.withName("max_qp_rd_atom"),
            MemoryLayout.paddingLayout(8),
            JAVA_INT.withName("max_qp_init_rd_atom"),
            MemoryLayout.paddingLayout(72));

    /** {@code struct ibv_sge}. */
    static final StructLayout SGE = MemoryLayout.structLayout(
            JAVA_LONG.withName("addr"), JAVA_INT.withName("length"), JAVA_INT.withName("lkey"));

    /** {@code struct ibv_send_wr}. */
    static final StructLayout SEND_WR = MemoryLayout.structLayout(
            JAVA_LONG.withName("wr_id"),
            JAVA_LONG.withName("next"),
            JAVA_LONG.withName("sg_list"),
            JAVA_INT.withName("num_sge"),
            JAVA_INT.withName("opcode"),
            JAVA_INT.withName("send_flags"),
            JAVA_INT.withName("imm_data"),
            JAVA_LONG.withName("remote_addr"),
            JAVA_INT.withName("rkey"),
            MemoryLayout.paddingLayout(76));

    /** {@code struct ibv_recv_wr}. */
    static final StructLayout RECV_WR = MemoryLayout.structLayout(
            JAVA_LONG.withName("wr_id"),
            JAVA_LONG.withName("next"),
            JAVA_LONG.withName("sg_list"),
            JAVA_INT.withName("num_sge"),
            MemoryLayout.paddingLayout(4));

    /** {@code struct ibv_wc}: a completion. */
    static final StructLayout WC = MemoryLayout.structLayout(
            JAVA_LONG.withName("wr_id"),
            JAVA_INT.withName("status"),
            JAVA_INT.withName("opcode"),
            JAVA_INT.withName("vendor_err"),
            JAVA_INT.withName("byte_len"),
            MemoryLayout.paddingLayout(24));

    /** {@code struct sockaddr_in}. */
    static final StructLayout SOCKADDR_IN = MemoryLayout.structLayout(
            JAVA_SHORT.withName("sin_family"),
            JAVA_SHORT.withName("sin_port"),
            JAVA_INT.withName("sin_addr"),
            MemoryLayout.paddingLayout(8));

    private VerbsLayout() {}

    /** Bytes of a send work request. */
    public static int sendRequestSize() {
        return (int) SEND_WR.byteSize();
    }

    /** Bytes of a receive work request. */
    public static int receiveRequestSize() {
        return (int) RECV_WR.byteSize();
    }

    /** Bytes of a piece of memory in a work request. */
    public static int elementSize() {
        return (int) SGE.byteSize();
    }

    /** Bytes of a completion. */
    public static int completionSize() {
        return (int) WC.byteSize();
    }

    /** Bytes of an IPv4 socket address. */
    public static int addressSize() {
        return (int) SOCKADDR_IN.byteSize();
    }

    /** Where in a send work request the remote address is. */
    public static int remoteAddressOffset() {
        return (int) offset(SEND_WR, "remote_addr");
    }

    /** Where in a send work request the remote key is. */
    public static int remoteKeyOffset() {
        return (int) offset(SEND_WR, "rkey");
    }

    static long offset(StructLayout struct, String field) {
        return struct.byteOffset(PathElement.groupElement(field));
    }
}
