/** The donor's listener: links over TCP, served from a {@link io.leapnbd.donor.store.SlabStore}. */
@NullMarked
package io.leapnbd.donor.net;

import org.jspecify.annotations.NullMarked;
