/**
 * How a server takes an export: what donors and the state file say ({@link io.leapnbd.bypass.takeover.Greeting},
 * {@link io.leapnbd.bypass.takeover.Recorded}), whether it may ({@link io.leapnbd.bypass.takeover.TakeoverCheck}), what becomes
 * of each slab ({@link io.leapnbd.bypass.takeover.TakeoverPlan}), and the doing of it. The first four are pure.
 * {@code docs/ownership.md} is the argument.
 */
@NullMarked
package io.leapnbd.bypass.takeover;

import org.jspecify.annotations.NullMarked;
