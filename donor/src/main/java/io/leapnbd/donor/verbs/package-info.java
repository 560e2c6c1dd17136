/**
 * RDMA verbs of the distribution's own libraries, {@code librdmacm.so.1} and {@code libibverbs.so.1}, without a line of C.
 *
 * <p><b>Why it is there.</b> DiSNI, the library that the rest of leap-nbd speaks verbs through, has a native half,
 * {@code libdisni.so}, that no distribution packages and that has to be compiled against each machine's headers. All it does is
 * pass on the methods of one class, {@code com.ibm.disni.verbs.impl.NativeDispatcher}, and it has no state of its own. So there
 * is a class of the same name here, ahead of DiSNI's on the class path, that does the same through the foreign function
 * interface; DiSNI's own classes run unmodified on top of it.
 *
 * <p><b>What it depends on.</b> Half of the verbs are functions that the headers define inline: they call through a table of
 * functions in {@code struct ibv_context}. So the layout of some structures has to be known ({@link
 * io.leapnbd.donor.verbs.VerbsLayout}). It has been the same since rdma-core came to be (2016, version 12); {@link
 * io.leapnbd.donor.verbs.VerbsCheck} tries it on the running library before anything relies on it, and refuses what it does not
 * know.
 *
 * <p><b>Limits.</b> 64-bit little-endian Linux; IPv4; reliable connections; memory regions below 2 GiB; no shared receive
 * queues, no on-demand paging. An {@code accept} carries no private data: keys travel in messages.
 */
@NullMarked
package io.leapnbd.donor.verbs;

import org.jspecify.annotations.NullMarked;
