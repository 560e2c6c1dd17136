/** {@code leap-nbd reproduce}: small versions of the Leap paper's experiments, in a page beside the published figures. */
@NullMarked
package io.leapnbd.tools.reproduce;

import org.jspecify.annotations.NullMarked;
