@NullMarked
package io.leapnbd.donor.net;

import org.jspecify.annotations.NullMarked;
