/** DiSNI's other native class; see {@link io.leapnbd.donor.verbs}. */
@NullMarked
package com.ibm.disni.util;

import org.jspecify.annotations.NullMarked;
