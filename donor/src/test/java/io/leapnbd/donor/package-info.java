/** What the tests of several packages share. */
@NullMarked
package io.leapnbd.donor;

import org.jspecify.annotations.NullMarked;
