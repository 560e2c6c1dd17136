/**
 * Which pages of a process to push: to ask the kernel for before the process touches them. Pure algorithms over virtual page
 * numbers (address / 4096): no system calls, no threads, no clock of their own.
 *
 * <p>A {@link io.leapnbd.prefetch.push.ProcessPusher} belongs to one process. Its owner tells it each page fault and then lets it
 * {@linkplain io.leapnbd.prefetch.push.ProcessPusher#push push}; it asks {@link io.leapnbd.prefetch.push.TargetMemory} what is swapped
 * out and hands it what to bring. One thread at a time; nothing is allocated once it is made. {@code docs/push.md} has the whole
 * picture.
 */
@NullMarked
package io.leapnbd.prefetch.push;

import org.jspecify.annotations.NullMarked;
