/**
 * The slab store: lent memory with its owners, versions and leases. It is what a donor's listener serves, and it can be used
 * in process without any socket, with the same semantics; see {@link io.leapnbd.donor.store.SlabStore}.
 */
@NullMarked
package io.leapnbd.donor.store;

import org.jspecify.annotations.NullMarked;
