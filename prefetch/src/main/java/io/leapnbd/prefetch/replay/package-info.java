/**
 * Traces of a device's requests, and a simulation of what a prefetch policy would have made of them: files and arithmetic,
 * no sockets, no threads, no wall clock.
 */
@NullMarked
package io.leapnbd.prefetch.replay;

import org.jspecify.annotations.NullMarked;
