package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.tls.PoolName;

/** What a connection over RDMA tells, also of who is at its other end. Without a pool nothing of that is told. */
interface RdmaPeerEvents extends RdmaClient.Events {

    /** Both ends begin to show who they are: completions have to be taken until {@link #connected}. */
    void authenticating();

    /** The donor has shown who it is, and knows who this server is. {@link #connected} is next. */
    void authenticated(PoolName donor);

    /** One end refuses the other, or its messages are not what was sent; it is over. In words that follow the donor's name. */
    void refused(String why);
}
