package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostRecv;
import com.ibm.disni.verbs.SVCPostSend;
import java.io.IOException;
import java.util.LinkedList;
import java.util.List;

/**
 * The work requests of one queue pair, built once, each in native memory of its own, and then only changed where one post differs
 * from the next. A request's number says what it is and which slot it belongs to:
 *
 * <pre>
 *  63            34 33  32 31              0
 * +----------------+------+-----------------+
 * |       0        | kind |      slot       |
 * +----------------+------+-----------------+
 * </pre>
 *
 * <p>Posting allocates nothing. For one thread.
 */
final class WorkRequests implements AutoCloseable {

    static final long READ = 1L << 32;
    static final long SEND = 2L << 32;
    static final long RECEIVE = 3L << 32;
    private static final long KIND = 3L << 32;

    private final SVCPostSend[] readCalls;
    private final SVCPostSend.SgeMod[] readTo;
    private final SVCPostSend.RdmaMod[] readFrom;
    private final SVCPostSend[] sendCalls;
    private final SVCPostSend.SgeMod[] sendFrom;
    private final SVCPostRecv[] receiveCalls;

    /**
     * Builds all; posts none.
     *
     * @param frames address of the frame of each slot to send from, then of each to receive into
     * @param frameBytes of each
     * @param key local key of their memory
     * @param reads slots of reads
     * @param sends how many of the frames are sent from
     */
    WorkRequests(IbvQP pair, long[] frames, int frameBytes, int key, int reads, int sends) throws IOException {
        readCalls = new SVCPostSend[reads];
        readTo = new SVCPostSend.SgeMod[reads];
        readFrom = new SVCPostSend.RdmaMod[reads];
        sendCalls = new SVCPostSend[sends];
        sendFrom = new SVCPostSend.SgeMod[sends];
        receiveCalls = new SVCPostRecv[frames.length - sends];
        boolean whole = false;
        try {
            for (int i = 0; i < reads; i++) {
                IbvSendWR read = request(IbvSendWR.IBV_WR_RDMA_READ, READ | i, elements(0, 0, 0));
                readCalls[i] = pair.postSend(List.of(read), List.of());
                readTo[i] = readCalls[i].getWrMod(0).getSgeMod(0);
                readFrom[i] = readCalls[i].getWrMod(0).getRdmaMod();
            }
            for (int i = 0; i < sends; i++) {
                IbvSendWR send = request(IbvSendWR.IBV_WR_SEND, SEND | i, elements(frames[i], frameBytes, key));
                sendCalls[i] = pair.postSend(List.of(send), List.of());
                sendFrom[i] = sendCalls[i].getWrMod(0).getSgeMod(0);
            }
            for (int i = 0; i < receiveCalls.length; i++) {
                IbvRecvWR receive = new IbvRecvWR();
                receive.setWr_id(RECEIVE | i);
                receive.setSg_list(elements(frames[sends + i], frameBytes, key));
                receive.setNum_sge(1);
                receiveCalls[i] = pair.postRecv(List.of(receive), List.of());
            }
            whole = true;
        } finally {
            if (!whole) {
                close();
            }
        }
    }

    @SuppressWarnings({"NonApiType", "JdkObsolete"}) // DiSNI wants it
    private static IbvSendWR request(int opcode, long number, LinkedList<IbvSge> elements) {
        IbvSendWR request = new IbvSendWR();
        request.setWr_id(number);
        request.setOpcode(opcode);
        request.setSend_flags(IbvSendWR.IBV_SEND_SIGNALED);
        request.setSg_list(elements);
        request.setNum_sge(1);
        return request;
    }

    @SuppressWarnings({"NonApiType", "JdkObsolete"}) // DiSNI wants it
    private static LinkedList<IbvSge> elements(long address, int length, int key) {
        IbvSge element = new IbvSge();
        element.setAddr(address);
        element.setLength(length);
        element.setLkey(key);
        LinkedList<IbvSge> list = new LinkedList<>();
        list.add(element);
        return list;
    }

    /** What a completion's number is about: {@link #READ}, {@link #SEND} or {@link #RECEIVE}. */
    static long kind(long number) {
        return number & KIND;
    }

    /** Which slot. */
    static int slot(long number) {
        return (int) number;
    }

    void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
        readTo[slot].setAddr(to);
        readTo[slot].setLkey(localKey);
        readTo[slot].setLength(length);
        readFrom[slot].setRemote_addr(from);
        readFrom[slot].setRkey(remoteKey);
        readCalls[slot].execute();
    }

    void send(int slot, int length) throws IOException {
        sendFrom[slot].setLength(length);
        sendCalls[slot].execute();
    }

    void receive(int slot) throws IOException {
        receiveCalls[slot].execute();
    }

    /** Gives their memory back. */
    @Override
    public void close() {
        free(readCalls);
        free(sendCalls);
        for (SVCPostRecv call : receiveCalls) {
            if (call != null) {
                SVCPostRecv _ = call.free();
            }
        }
    }

    private static void free(SVCPostSend[] calls) {
        for (SVCPostSend call : calls) {
            if (call != null) {
                SVCPostSend _ = call.free();
            }
        }
    }
}
