/**
 * {@code leap-nbd push}: an agent that watches page faults and has the kernel bring what comes next. {@code docs/push.md} says how; the
 * algorithms are {@code io.leapnbd.prefetch.push}, the system calls {@code io.leapnbd.tools.linux}.
 */
@NullMarked
package io.leapnbd.tools.push;

import org.jspecify.annotations.NullMarked;
