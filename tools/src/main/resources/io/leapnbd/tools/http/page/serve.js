import {
  $, Looks, NoAnswer, ask, askJson, bytes, count, degraded, duration, elapsed, element, each, orNone, percent, rate, rows, security, size,
  text, watch,
} from "./common.js";
import { Chart } from "./charts.js";
import { SlabMap } from "./slabs.js";

const PAGE = 4096;
const LATENCY_MS = 5000;
const QUALITY_MS = 10000;
const SLABS_MS = 3000;

const looks = new Looks();
const latency = new Chart($("c-latency"), "latency of reads", ["p50", "p99", "p99.9"], duration, { log: true });
const rates = new Chart($("c-rates"), "requests a second", ["reads", "writes"], count);
const quality = new Chart($("c-quality"), "coverage and accuracy", ["coverage", "accuracy"], (share) => `${Math.round(share * 100)} %`, {
  max: 1,
});
const map = new SlabMap();
let slabs = null;
let slabsAt = 0;

async function look() {
  const [status, latencies] = await Promise.all([askJson("/status"), askJson("/latencies")]);
  if (slabs === null || Date.now() - slabsAt >= SLABS_MS) {
    slabs = await askJson("/slabs");
    slabsAt = Date.now();
  }
  return { status, buckets: buckets(latencies.operations.read), slabs };
}

function buckets(operation) {
  if (!operation) {
    return new Map();
  }
  const counts = operation.counts.split(" ").map(Number);
  const width = 2 ** (1 / operation.steps);
  return new Map(operation.upto_ns.split(" ").map((bound, i) => [Number(bound), { count: counts[i], width }]));
}

/** Below what, in microseconds, shares of the reads between two looks stayed; nulls if there were none. */
function percentiles(before, now, shares) {
  const grown = [...now.buckets]
    .map(([bound, { count: all, width }]) => [bound, all - (before?.buckets.get(bound)?.count ?? 0), width])
    .filter(([, more]) => more > 0)
    .sort((a, b) => a[0] - b[0]);
  const total = grown.reduce((sum, [, more]) => sum + more, 0);
  return shares.map((share) => {
    let below = 0;
    for (const [bound, more, width] of grown) {
      if (below + more >= share * total) {
        return (bound / width) * width ** ((share * total - below) / more) / 1000;
      }
      below += more;
    }
    return null;
  });
}

/** One number over another, both as grown since a look before. */
function share(before, now, part, whole) {
  if (!before) {
    return null;
  }
  const all = whole(now.status) - whole(before.status);
  return all > 0 ? Math.min(1, (part(now.status) - part(before.status)) / all) : null;
}

const requests = (operation) => (one) => one.status.requests[operation]?.count ?? 0;

function show(now) {
  looks.add(now);
  const s = now.status;
  const before = looks.before(1000);
  const reads = rate(before, now, requests("read"));
  const writes = rate(before, now, requests("write"));
  const [p50, p99, p999] = before ? percentiles(looks.before(LATENCY_MS), now, [0.5, 0.99, 0.999]) : [null, null, null];
  const earlier = looks.before(QUALITY_MS);
  const coverage = share(earlier, now, (one) => one.prefetch.hits, (one) => one.prefetch.demands);
  const accuracy = share(earlier, now, (one) => one.prefetch.used, (one) => one.prefetch.adds);

  text(
    $("about"),
    `export ${s.export.name}, ${bytes(s.export.size)}` +
      (s.export.encryption === "none" || s.export.encryption === "off" ? ", pages not encrypted" : `, pages encrypted with ${s.export.encryption}`) +
      `; process ${s.pid}, up ${elapsed((now.at - Date.parse(s.start)) / 1000)}; ${s.uris.join(", ")}` +
      (s.pool ? `; '${s.identity}' of pool '${s.pool}'` : ""),
  );
  document.title = `${s.degraded.length ? `(${s.degraded.length}) ` : ""}leap-nbd serve ${s.export.name}`;
  degraded(s.degraded);
  security(s.security);

  text($("t-reads"), reads === null ? "–" : count(reads));
  text($("t-writes"), writes === null ? "–" : count(writes));
  text($("t-p50"), duration(p50));
  text($("t-p99"), duration(p99));
  text($("t-coverage"), percent(coverage));
  text($("t-accuracy"), percent(accuracy));
  text($("t-written"), bytes(s.export.pages_written * PAGE));
  text($("t-flight"), count(s.connections.reduce((sum, one) => sum + one.requests_in_flight, 0)));
  latency.add(now.at, [p50, p99, p999]);
  rates.add(now.at, [reads, writes]);
  quality.add(now.at, [coverage, accuracy]);

  showPrefetch(s.prefetch);
  showDonors(s);
  map.show(now.slabs, s.export.replicas);
  showRepair(s);
  rows(
    $("requests"),
    Object.entries(s.requests).map(([name, one]) => [name, count(one.count), duration(one.p50_us), duration(one.p99_us), duration(one.max_us)]),
  );
  const errors = Object.entries(s.errors).filter(([, times]) => times > 0);
  text($("errors"), errors.length ? `Errors: ${errors.map(([name, times]) => `${name} ${count(times)}`).join(", ")}` : "No request has failed.");
  rows(
    $("clients"),
    s.connections.map((one) => [
      one.peer,
      one.tls || "none",
      `${count(one.requests_in_flight)}, ${bytes(one.bytes_in_flight)}`,
      elapsed((now.at - Date.parse(one.opened)) / 1000),
    ]),
  );
  orNone($("clients"), $("clients-none"), "No client is connected.");
}

function showDonors(s) {
  const slab = s.export.slab_size;
  rows(
    $("donors"),
    s.donors.map((one) => {
      const others = Math.max(0, one.slabs_total - one.slabs_free - one.slabs_held);
      const state = (one.up ? "up" : "down") + (one.use === "used" ? "" : `, ${one.use}`) + (one.drained ? ", drained" : "");
      return [
        one.name,
        { text: state, className: one.up ? "" : "bad" },
        one.authenticated ? `${one.link_security === "auth" ? "auth" : "TLS"}, ${one.certificate}` : one.encrypted ? "encrypted" : "no TLS",
        count(one.links),
        {
          text: `${bytes(one.slabs_held * slab)} ours, ${bytes(others * slab)} others', ${bytes(one.slabs_free * slab)} free`,
          bar: [["fill-one", one.slabs_held / one.slabs_total], ["fill-two", others / one.slabs_total]],
        },
        one.slabs_wanted_back > 0 ? { text: bytes(one.slabs_wanted_back * slab), className: "bad" } : "–",
        count(one.timeouts),
        count(one.reconnects),
        one.seals_unfit > 0 ? { text: count(one.seals_unfit), className: "bad" } : "0",
      ];
    }),
  );
  text(
    $("spill"),
    s.spill ? `Spill ${s.spill.file}: ${bytes(s.spill.used)} of ${bytes(s.spill.size)} used, ${count(s.spill.errors)} errors.` : "",
  );
}

function showRepair(s) {
  text($("r-repair"), left(s.repair));
  text($("r-moves"), left(s.moves));
  text($("r-replicas"), count(s.export.replicas));
  text($("r-short"), count(s.export.slabs_short_of_copies));
  text($("r-lost"), s.lost.bytes > 0 ? `${bytes(s.lost.bytes)} in ${count(s.lost.ranges_in_all)} ranges` : "nothing");
  text(
    $("r-done"),
    `${count(s.export.copies_filled)}, ${count(s.export.copies_moved)}, ${count(s.export.copies_balanced)} copies`,
  );
}

function left(work) {
  if (work.slabs_left === 0) {
    return "nothing to do";
  }
  const time = work.seconds_left === null ? "stands still" : `${elapsed(work.seconds_left)} left`;
  const why = work.slabs_failing > 0 ? `; ${work.slabs_failing} not filled for now: ${work.last_failure}` : "";
  return `${count(work.slabs_left)} copies, ${bytes(work.bytes_left)}, ${bytes(work.bytes_per_second)}/s, ${time}${why}`;
}

// The form shows what is in force, except in fields that somebody has edited.
const fields = { "f-policy": "policy", "f-cache": "cache_size", "f-window": "max_window", "f-history": "history", "f-split": "split" };
const edited = new Set();
let inForce = null;

function showPrefetch(p) {
  inForce = p;
  text($("p-policy"), p.policy);
  text($("p-settings"), `history ${p.history}, split ${p.split}, largest window ${p.max_window}`);
  text($("p-cache"), `${bytes(p.cache_used)} of ${bytes(p.cache_size)} in use, at most ${bytes(p.cache_limit)}`);
  text($("p-coverage"), `${percent(p.coverage)} (${count(p.hits)} of ${count(p.demands)} pages)`);
  text($("p-accuracy"), `${percent(p.accuracy)} (${count(p.used)} of ${count(p.adds)} pages)`);
  text($("p-window"), `${count(p.window)} pages, ${count(p.trends_found)} trends found`);
  if ($("f-policy").children.length !== p.policies.length) {
    each($("f-policy"), p.policies, () => element("option"), (option, name) => {
      option.value = name;
      text(option, name);
    });
  }
  fillForm();
}

function fillForm() {
  for (const [id, key] of Object.entries(fields)) {
    const field = $(id);
    const value = key === "cache_size" ? size(inForce[key]) : String(inForce[key]);
    if (!edited.has(id) && field.value !== value && document.activeElement !== field) {
      field.value = value;
    }
  }
}

function say(message, className) {
  $("f-result").className = className;
  text($("f-result"), message);
}

for (const id of Object.keys(fields)) {
  $(id).addEventListener("input", () => {
    edited.add(id);
    say("", "");
  });
}
$("f-reset").addEventListener("click", () => {
  edited.clear();
  say("", "");
  if (inForce) {
    fillForm();
  }
});
$("prefetch-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (edited.size === 0) {
    say("Nothing is changed in the form.", "");
    return;
  }
  const changes = new URLSearchParams({ format: "text" });
  edited.forEach((id) => changes.set($(id).name, $(id).value.trim()));
  const button = event.target.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const answer = await (await ask(`/settings?${changes}`, "PUT")).text();
    edited.clear();
    say(`Done. ${answer.trim()}`, "done");
  } catch (e) {
    say(e instanceof NoAnswer ? `Not changed: ${e.message}` : String(e), "refused");
  } finally {
    button.disabled = false;
  }
});

watch("serve", look, show, () => {
  looks.clear();
  slabs = null;
  edited.clear();
  [latency, rates, quality].forEach((chart) => chart.gap());
});
