/**
 * What both ends of an RDMA link are made of: a queue pair with its completions, buffers for messages and prebuilt work requests;
 * protection domains and the memory registered in them; and the descriptors that an event loop waits on along with its sockets.
 */
@NullMarked
package io.leapnbd.donor.rdma;

import org.jspecify.annotations.NullMarked;
