package io.leapnbd.tools.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.Locale;
import org.slf4j.LoggerFactory;

/**
 * Sends log lines to standard error through a queue, so that no event loop ever waits for a terminal or a pipe ({@link LogQueue}).
 * Logback finds this class as a service; there is no configuration file.
 *
 * <p>{@code LEAP_NBD_LOG} names the level: trace, debug, info, warn, error or off. {@link LogOptions} say otherwise.
 */
public final class LogSetup extends ContextAwareBase implements Configurator {

    private static final String OURS = "io.leapnbd";
    private static final String QUEUE = "queue";

    /** It warns of machines without a network card; names of channels are all that it is asked for. */
    private static final String WARNS_OF_NOTHING = "io.netty.util.internal.MacAddressUtil";

    /** For the service loader. */
    public LogSetup() {}

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        LogQueue queue = new LogQueue(new FileOutputStream(FileDescriptor.err), LogFormat.usual());
        context.putObject(QUEUE, queue);
        Appender appender = new Appender(queue);
        appender.setContext(context);
        appender.start();

        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.addAppender(appender);
        root.setLevel(Level.WARN);
        context.getLogger(WARNS_OF_NOTHING).setLevel(Level.ERROR);
        Level level = Level.toLevel(System.getenv().getOrDefault("LEAP_NBD_LOG", "info"), Level.INFO);
        context.getLogger(OURS).setLevel(level);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /** Shows lines of this level and above from now on; one of {@link #isLevel}. */
    public static void level(String level) {
        context().getLogger(OURS).setLevel(Level.toLevel(level, Level.INFO));
    }

    /** Level and format that are used where nobody says otherwise. */
    static void usual() {
        level(System.getenv().getOrDefault("LEAP_NBD_LOG", "info"));
        format(LogFormat.usual());
    }

    /** The level of the lines that are shown. */
    public static String level() {
        return context().getLogger(OURS).getEffectiveLevel().levelStr.toLowerCase(Locale.ROOT);
    }

    /** Writes lines in another way from now on. */
    static void format(LogFormat.Kind kind) {
        if (context().getObject(QUEUE) instanceof LogQueue queue) {
            queue.format(kind);
        }
    }

    /** Whether there is such a level. */
    public static boolean isLevel(String level) {
        return switch (level.toLowerCase(Locale.ROOT)) {
            case "trace", "debug", "info", "warn", "error", "off" -> true;
            default -> false;
        };
    }

    /** What is wrong with {@code LEAP_NBD_LOG}, in one sentence; empty if nothing is. */
    public static String complaint() {
        String level = System.getenv().getOrDefault("LEAP_NBD_LOG", "info");
        return isLevel(level) ? "" : "LEAP_NBD_LOG=" + complaint(level);
    }

    /** That a word is no level, and which there are. */
    public static String complaint(String level) {
        return level + " is no level; choose trace, debug, info, warn, error or off";
    }

    /**
     * What a command that stays prints to standard error: lines as they are, through the queue. A command that waits for whoever reads them
     * could wait for itself.
     */
    public static PrintWriter standardError() {
        return new PrintWriter(new Lines(), true);
    }

    /** Writes out what is queued, and waits for it a second at most. */
    public static void flush() {
        if (context().getObject(QUEUE) instanceof LogQueue queue) {
            queue.flush();
        }
    }

    private static LoggerContext context() {
        return (LoggerContext) LoggerFactory.getILoggerFactory();
    }

    /** Logback's end of the queue. */
    private static final class Appender extends UnsynchronizedAppenderBase<ILoggingEvent> {

        private final LogQueue queue;

        Appender(LogQueue queue) {
            this.queue = queue;
        }

        @Override
        protected void append(ILoggingEvent event) {
            IThrowableProxy thrown = event.getThrowableProxy();
            queue.add(
                    new LogLine(
                            event.getTimeStamp(),
                            event.getLevel(),
                            event.getLoggerName(),
                            event.getFormattedMessage(),
                            thrown == null ? null : StackText.of(thrown)),
                    // Who asks for debug lines wants all of them.
                    event.getLevel().isGreaterOrEqual(Level.INFO) ? event.getLoggerName() + event.getMessage() : null);
        }
    }

    /** Puts whole lines into the queue. */
    private static final class Lines extends Writer {

        private final StringBuilder line = new StringBuilder();

        @Override
        public void write(char[] text, int from, int length) {
            synchronized (lock) {
                for (int i = from; i < from + length; i++) {
                    if (text[i] != '\n') {
                        line.append(text[i]);
                    } else {
                        if (context().getObject(QUEUE) instanceof LogQueue queue) {
                            queue.add(
                                    new LogLine(System.currentTimeMillis(), Level.WARN, "", line.toString(), null),
                                    null);
                        }
                        line.setLength(0);
                    }
                }
            }
        }

        @Override
        public void flush() {
            // Lines are on their way; what is no line yet waits for its end.
        }

        @Override
        public void close() {
            // Standard error stays.
        }
    }
}
