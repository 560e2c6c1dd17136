package com.ibm.disni.verbs.impl;

import com.ibm.disni.verbs.IbvWC;
import io.leapnbd.donor.verbs.ConnectionVerbs;
import io.leapnbd.donor.verbs.DeviceVerbs;
import io.leapnbd.donor.verbs.Verbs;
import io.leapnbd.donor.verbs.VerbsException;
import io.leapnbd.donor.verbs.VerbsLayout;
import java.io.IOException;

/**
 * Takes the place of DiSNI's class of this name, all of whose methods are native: each passes its arguments on to {@link Verbs}.
 * Names, arguments and answers are DiSNI's; objects are addresses.
 */
@SuppressWarnings("MethodName") // DiSNI's names
public class NativeDispatcher {

    /** Of DiSNI's native half that this one stands for. */
    private static final int VERSION = 32;

    private final ConnectionVerbs connections;
    private final DeviceVerbs devices;

    NativeDispatcher() throws IOException {
        Verbs verbs = Verbs.load();
        connections = verbs.connections();
        devices = verbs.devices();
        sizes();
    }

    /** DiSNI writes structures of these sizes. */
    private static void sizes() {
        SockAddrIn.CSIZE = VerbsLayout.addressSize();
        NatIbvRecvWR.CSIZE = VerbsLayout.receiveRequestSize();
        NatIbvSendWR.CSIZE = VerbsLayout.sendRequestSize();
        NatIbvSge.CSIZE = VerbsLayout.elementSize();
        IbvWC.CSIZE = VerbsLayout.completionSize();
        NatIbvSendWR.REMOTEADDR_OFFSET = VerbsLayout.remoteAddressOffset();
        NatIbvSendWR.RKEY_OFFSET = VerbsLayout.remoteKeyOffset();
    }

    /** Tells this class from DiSNI's own. */
    public static boolean foreign() {
        return true;
    }

    public long _createEventChannel() throws IOException {
        return connections.createEventChannel();
    }

    public long _createId(long channel, short portSpace) throws IOException {
        return connections.createId(channel);
    }

    public long _createQP(
            long id, long pd, long sendCq, long recvCq, int type, int maxSendWr, int maxRecvWr, int maxInline)
            throws IOException {
        return connections.createQueuePair(id, pd, sendCq, recvCq, type, maxSendWr, maxRecvWr, maxInline);
    }

    public void _bindAddr(long id, long address) throws IOException {
        connections.bindAddress(id, address);
    }

    public void _listen(long id, int backlog) throws IOException {
        connections.listen(id, backlog);
    }

    public void _resolveAddr(long id, long source, long destination, int millis) throws IOException {
        connections.resolveAddress(id, source, destination, millis);
    }

    public void _resolveRoute(long id, int millis) throws IOException {
        connections.resolveRoute(id, millis);
    }

    public int _getCmEvent(long channel, long listenId, long clientId, int millis) {
        return connections.nextEvent(channel, listenId, clientId, millis);
    }

    public void _connect(long id, int retries, int rnrRetries, long privateData, byte privateLength)
            throws IOException {
        connections.connect(id, retries, rnrRetries, privateData, privateLength);
    }

    public void _accept(long id, int retries, int rnrRetries) throws IOException {
        connections.accept(id, retries, rnrRetries);
    }

    public int _ackCmEvent(int event) {
        return 0;
    }

    public int _disconnect(long id) {
        return connections.disconnect(id);
    }

    public int _destroyEventChannel(long channel) {
        connections.destroyEventChannel(channel);
        return 0;
    }

    public int _destroyCmId(long id) {
        return connections.destroyId(id);
    }

    public int _destroyQP(long id) {
        return connections.destroyQueuePair(id);
    }

    public int _getSrcAddr(long id, long to) {
        connections.sourceAddress(id, to);
        return 0;
    }

    public int _getDstAddr(long id, long to) {
        connections.destinationAddress(id, to);
        return 0;
    }

    public int _destroyEp(long id) {
        connections.destroyEndpoint(id);
        return 0;
    }

    public long _allocPd(long context) throws IOException {
        return devices.allocateDomain(context);
    }

    public long _createCompChannel(long context) throws IOException {
        return devices.createCompletionChannel(context);
    }

    public long _createCQ(long context, long channel, int entries, int vector) throws IOException {
        return devices.createCompletionQueue(context, channel, entries, vector);
    }

    public int _modifyQP(long qp, long attributes) throws IOException {
        throw new VerbsException("DiSNI does not pass on what to modify a queue pair to");
    }

    public long _regMr(long pd, long address, int length, int access, long lkey, long rkey, long handle)
            throws IOException {
        return devices.register(pd, address, length, access, lkey, rkey, handle);
    }

    public int _queryOdpSupport(long context) {
        return -1;
    }

    public int _expPrefetchMr(long region, long address, int length) {
        return -1;
    }

    public void _deregMr(long region) throws IOException {
        devices.deregister(region);
    }

    public void _postSend(long qp, long requests) throws IOException {
        devices.postSend(qp, requests);
    }

    public void _postRecv(long qp, long requests) throws IOException {
        devices.postReceive(qp, requests);
    }

    public int _getCqEvent(long channel, int millis) {
        return devices.nextCompletionEvent(channel, millis) ? 0 : -1;
    }

    public int _pollCQ(long cq, int most, long completions) throws IOException {
        return devices.poll(cq, most, completions);
    }

    public int _reqNotifyCQ(long cq, int solicitedOnly) throws IOException {
        return devices.requestNotification(cq, solicitedOnly);
    }

    public int _ackCqEvent(long cq, int events) {
        devices.acknowledgeEvents(cq, events);
        return 0;
    }

    public int _destroyCompChannel(long channel) {
        return devices.destroyCompletionChannel(channel);
    }

    public int _deallocPd(long pd) {
        return devices.freeDomain(pd);
    }

    public int _destroyCQ(long cq) {
        return devices.destroyCompletionQueue(cq);
    }

    public long _getContext(long id) {
        return connections.context(id);
    }

    public int _getQpNum(long qp) {
        return devices.queuePairNumber(qp);
    }

    public int _getContextFd(long context) {
        return devices.contextDescriptor(context);
    }

    public int _getContextNumCompVectors(long context) {
        return devices.completionVectors(context);
    }

    public int _getPdHandle(long pd) {
        return devices.domainHandle(pd);
    }

    public int _getSockAddrInSize() {
        return VerbsLayout.addressSize();
    }

    public int _getIbvRecvWRSize() {
        return VerbsLayout.receiveRequestSize();
    }

    public int _getIbvSendWRSize() {
        return VerbsLayout.sendRequestSize();
    }

    public int _getIbvSgeSize() {
        return VerbsLayout.elementSize();
    }

    public int _getIbvWCSize() {
        return VerbsLayout.completionSize();
    }

    public int _getRemoteAddressOffset() {
        return VerbsLayout.remoteAddressOffset();
    }

    public int _getRKeyOffset() {
        return VerbsLayout.remoteKeyOffset();
    }

    public int _getVersion() {
        return VERSION;
    }
}
