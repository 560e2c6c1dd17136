package io.leapnbd.donor.loop;

import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoRegistration;

/**
 * Something on a loop of {@link EventLoops} that has to be done at a time which changes with nearly every turn: mostly it is put off before it comes.
 * A timer would be made, and cancelled, each time. This is asked for its time in each turn, and costs little else: a loop that has nothing to do is woken for it up to
 * {@link #LATE_NANOS} late.
 *
 * <p>It is {@linkplain io.netty.channel.IoEventLoop#register registered} with a loop that is {@linkplain
 * io.netty.channel.IoEventLoop#isCompatible compatible} with this type. Every method is called on the loop.
 */
public interface LoopAlarm extends IoHandle {

    /** What {@link #dueNanos} says when nothing is to be done. */
    long NEVER = Long.MAX_VALUE;

    /** So late one may be on a loop that sleeps, if none has rung for a while; a millisecond otherwise. So often, at most, the loop is woken in vain. */
    long LATE_NANOS = 8_000_000;

    /** {@link System#nanoTime()} at which {@link #ring} is to be called; or {@link #NEVER}. */
    long dueNanos();

    /**
     * The time has come; what was ready in this turn of the loop has been served before. A throw ends nothing.
     *
     * @param now {@link System#nanoTime()} when the turn began
     */
    void ring(long now);

    /** It has no descriptor, and no events. */
    @Override
    default void handle(IoRegistration registration, IoEvent event) {}

    /** The loop ends. */
    @Override
    default void close() {}
}
