@NullMarked
package io.leapnbd.donor.rdma;

import org.jspecify.annotations.NullMarked;
