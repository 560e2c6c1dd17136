/**
 * What several processes of a machine share: its settings, which each may want otherwise, and locks. {@code attach}, {@code detach} and
 * {@code push} use them.
 */
@NullMarked
package io.leapnbd.tools.host;

import org.jspecify.annotations.NullMarked;
