package io.leapnbd.tools.push;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.push.PushFigure;
import io.leapnbd.prefetch.push.PushFigures;
import io.leapnbd.prefetch.push.PushSettings;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.PageFaultEvents;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.HdrHistogram.Histogram;

/** What an agent does, for people and programs. Any thread. */
final class PushStatus {

    private static final double NANOS_A_MICRO = 1_000;

    private static final Set<String> SETTINGS =
            Set.of("policy", "history", "split", "max_window", "max-window", "pid", "format");

    private final Watched watched;
    private final PageFaultEvents events;
    private final PushTargets targets;
    private final AnnouncedReads announced;
    private final PushAgent agent;

    PushStatus(
            Watched watched, PageFaultEvents events, PushTargets targets, AnnouncedReads announced, PushAgent agent) {
        this.watched = watched;
        this.events = events;
        this.targets = targets;
        this.announced = announced;
        this.agent = agent;
    }

    PushTargets targets() {
        return targets;
    }

    PushAgent agent() {
        return agent;
    }

    AnnouncedReads announced() {
        return announced;
    }

    PageFaultEvents events() {
        return events;
    }

    /** What {@code /status} answers: text for people if that is asked for, else JSON. */
    Answer answer(Map<String, String> query) {
        return query.getOrDefault("format", "json").equals("text")
                ? Answer.ok(
                        "text/plain; charset=utf-8",
                        PushText.of(this, watched.description(), events.scope().label()))
                : Answer.ok("application/json", json());
    }

    String json() {
        PushSettings settings = targets.settings();
        Json json = new Json()
                .object()
                .put("role", "push")
                .put("watches", watched.description())
                .put("faults_by", events.scope().label())
                .put("records", agent.records())
                .put("records_lost", events.lost())
                .put("turns", agent.turns())
                .put("turned_away", targets.turnedAway())
                .put("announced", announced.announced())
                .put("announcements_dropped", announced.dropped());
        String server = announced.uri();
        if (server == null) {
            json.putNull("server");
        } else {
            json.put("server", server);
        }
        settings(json, settings);
        processes(json, "processes", targets.live());
        processes(json, "ended", targets.ended());
        return json.endObject().toString();
    }

    private static void settings(Json json, PushSettings settings) {
        json.put("policy", settings.policy().label())
                .put("history", settings.leap().history())
                .put("split", settings.leap().split())
                .put("max_window", settings.leap().maxWindow());
    }

    private static void processes(Json json, String name, List<PushTarget> processes) {
        json.array(name);
        for (PushTarget target : processes) {
            PushFigures figures = target.pusher().figures();
            json.object()
                    .put("pid", target.pid())
                    .put(
                            "name",
                            KernelFile.read(Path.of("/proc/" + target.pid() + "/comm"))
                                    .orElse(""))
                    .put("sees_pages", target.seesPages());
            settings(json, target.pusher().settings());
            for (PushFigure figure : PushFigure.values()) {
                json.put(figure.label(), figures.get(figure));
            }
            Histogram touched = target.untilTouched();
            json.put("accuracy", figures.accuracy())
                    .put("coverage", figures.coverage())
                    .put("waiting", figures.waiting())
                    .put("streams", figures.streams())
                    .put("lead", figures.lead())
                    .put("trend", figures.trend())
                    .put("read_us", figures.latencyNanos() / NANOS_A_MICRO)
                    .put("touched_after_p50_us", touched.getValueAtPercentile(50) / NANOS_A_MICRO)
                    .put("touched_after_p99_us", touched.getValueAtPercentile(99) / NANOS_A_MICRO);
            if (target.lastError() == 0) {
                json.putNull("last_error");
            } else {
                json.put("last_error", "process_madvise: " + Errno.describe(target.lastError()));
            }
            json.endObject();
        }
        json.endArray();
    }

    /** The times from push to touch of one process, as HdrHistogram prints percentiles, in microseconds: {@code ?pid=}. */
    Answer histogram(Map<String, String> query) {
        PushTarget target = target(query);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        target.untilTouched()
                .outputPercentileDistribution(new PrintStream(out, true, StandardCharsets.UTF_8), NANOS_A_MICRO);
        return Answer.ok("text/plain; charset=utf-8", out.toString(StandardCharsets.UTF_8));
    }

    private PushTarget target(Map<String, String> query) {
        String pid = query.getOrDefault("pid", "");
        for (List<PushTarget> list : List.of(targets.live(), targets.ended())) {
            for (PushTarget target : list) {
                if (pid.isEmpty() || pid.equals(Integer.toString(target.pid()))) {
                    return target;
                }
            }
        }
        throw new IllegalArgumentException(
                pid.isEmpty() ? "nothing was pushed for yet" : "process " + pid + " is not pushed for; see /status");
    }

    /**
     * Changes settings, of one process ({@code pid=}) or of all. {@code push=off}: for none any more; {@code push=on} or {@code 0}: for all again;
     * {@code push=PID}: for this one only.
     */
    Answer set(Map<String, String> query) {
        Map<String, String> wishes = new HashMap<>(query);
        String only = wishes.remove("push");
        if (only != null) {
            if (only.matches("[1-9][0-9]{0,9}")) {
                Map<String, String> one = Map.of("pid", only);
                target(one); // there has to be one, before the others are left alone
                set(Map.of("policy", PushSettings.Policy.OFF.label()));
                wishes.put("pid", only);
            } else if (!List.of("on", "off", "0").contains(only)) {
                throw new IllegalArgumentException("push: '" + only + "' is neither on, off, nor a process id");
            }
            wishes.putIfAbsent("policy", only.equals("off") ? "off" : "adaptive");
        }
        for (String name : wishes.keySet()) {
            if (!SETTINGS.contains(name)) {
                throw new IllegalArgumentException("no setting is called '" + name
                        + "'; there are push, policy, history, split, max_window and pid");
            }
        }
        return change(wishes);
    }

    private Answer change(Map<String, String> query) {
        PushSettings before = query.containsKey("pid") ? target(query).pusher().settings() : targets.settings();
        LeapSettings leap = before.leap();
        PushSettings wanted = new PushSettings(
                PushSettings.Policy.parse(
                        query.getOrDefault("policy", before.policy().label())),
                new LeapSettings(
                        number(query, "history", leap.history()),
                        number(query, "split", leap.split()),
                        number(
                                query,
                                query.containsKey("max-window") ? "max-window" : "max_window",
                                leap.maxWindow())));
        if (query.containsKey("pid")) {
            target(query).pusher().reconfigure(wanted);
        } else {
            targets.reconfigure(wanted);
        }
        if (query.getOrDefault("format", "json").equals("text")) {
            return Answer.ok(
                    "text/plain; charset=utf-8",
                    "policy " + wanted.policy().label() + ", history "
                            + wanted.leap().history() + ", split "
                            + wanted.leap().split() + ", max_window "
                            + wanted.leap().maxWindow()
                            + (query.containsKey("pid") ? ", for process " + query.get("pid") : "") + "\n");
        }
        Json json = new Json().object();
        settings(json, wanted);
        return Answer.ok("application/json", json.endObject().toString());
    }

    private static int number(Map<String, String> query, String name, int otherwise) {
        String value = query.get(name);
        try {
            return value == null ? otherwise : Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + ": '" + value + "' is not a whole number", e);
        }
    }
}
