/**
 * DiSNI's native half; see {@link io.leapnbd.donor.verbs} for why it is here. Everything else of this package is in DiSNI's own
 * jar, which comes later on the class path.
 */
@NullMarked
package com.ibm.disni.verbs.impl;

import org.jspecify.annotations.NullMarked;
