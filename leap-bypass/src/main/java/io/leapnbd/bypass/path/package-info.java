/**
 * The way of a request from a client's buffer to a donor and back: what a loop owns, and how it reads, writes and zeroes. Knows
 * nothing of the page cache, which stands above it.
 */
@NullMarked
package io.leapnbd.bypass.path;

import org.jspecify.annotations.NullMarked;
