package io.leapnbd.tools.cli;

import ch.qos.logback.classic.AsyncAppender;
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.slf4j.LoggerFactory;

/**
 * Sends log lines to standard error through a queue, so that no event loop ever waits for a terminal or a pipe: when the
 * queue is full, lines are dropped. Logback finds this class as a service; there is no configuration file.
 *
 * <p>{@code LEAP_NBD_LOG} names the level: trace, debug, info, warn, error or off. {@code --verbose} means debug.
 */
public final class LogSetup extends ContextAwareBase implements Configurator {

    private static final int QUEUE_LENGTH = 1024;
    private static final String PATTERN = "%d{HH:mm:ss.SSS} %-5level %logger{0}: %msg%n%ex{full}";

    /** For the service loader. */
    public LogSetup() {}

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setCharset(StandardCharsets.UTF_8);
        encoder.setPattern(PATTERN);
        encoder.start();

        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setContext(context);
        console.setTarget("System.err");
        console.setEncoder(encoder);
        console.start();

        AsyncAppender queue = new AsyncAppender();
        queue.setContext(context);
        queue.setQueueSize(QUEUE_LENGTH);
        queue.setDiscardingThreshold(0);
        queue.setNeverBlock(true);
        queue.addAppender(console);
        queue.start();

        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.addAppender(queue);
        root.setLevel(Level.WARN);
        Level level = Level.toLevel(System.getenv().getOrDefault("LEAP_NBD_LOG", "info"), Level.INFO);
        context.getLogger("io.leapnbd").setLevel(level);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /** Shows debug lines from now on. */
    public static void verbose() {
        ((LoggerContext) LoggerFactory.getILoggerFactory())
                .getLogger("io.leapnbd")
                .setLevel(Level.DEBUG);
    }

    /** What is wrong with {@code LEAP_NBD_LOG}, in one sentence; empty if nothing is. */
    public static String complaint() {
        String level = System.getenv().getOrDefault("LEAP_NBD_LOG", "info");
        return switch (level.toLowerCase(Locale.ROOT)) {
            case "trace", "debug", "info", "warn", "error", "off" -> "";
            default -> "LEAP_NBD_LOG=" + level + " is no level; choose trace, debug, info, warn, error or off";
        };
    }

    /** Writes out what is queued. Nothing is logged afterwards. */
    public static void flush() {
        ((LoggerContext) LoggerFactory.getILoggerFactory()).stop();
    }
}
