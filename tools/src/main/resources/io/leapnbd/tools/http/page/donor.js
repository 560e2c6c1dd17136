import {
  $, Looks, askJson, bar, bytes, count, degraded, each, elapsed, element, orNone, percent, rate, rows, security, text, watch,
} from "./common.js";
import { Chart } from "./charts.js";

const looks = new Looks();
const rates = new Chart($("c-rates"), "requests a second", ["reads", "writes"], count);
const lent = new Chart($("c-lent"), "memory", ["taken", "asked back"], bytes);

function show(now) {
  looks.add(now);
  const s = now.status;
  const before = looks.before(1000);
  const slab = s.slab_size;
  const reads = rate(before, now, (look) => look.status.requests.reads);
  const writes = rate(before, now, (look) => look.status.requests.writes);

  text(
    $("about"),
    `process ${s.pid}, up ${elapsed((now.at - Date.parse(s.start)) / 1000)}; ${s.uris.join(", ")}` +
      (s.pool ? `; serves pool '${s.pool}' over TLS` : "") +
      (s.insecure ? "; insecure: whoever reaches it can use this memory" : ""),
  );
  document.title = `leap-nbd donor, ${bytes(s.slabs_lent * slab)} taken`;
  degraded(s.degraded);
  security(s.security);

  text($("t-total"), bytes(s.slabs_total * slab));
  text($("t-lent"), bytes(s.slabs_lent * slab));
  text($("t-free"), bytes(s.slabs_free * slab));
  text($("t-wanted"), s.slabs_wanted_back > 0 ? bytes(s.slabs_wanted_back * slab) : "nothing");
  text($("t-links"), count(s.links));
  text($("t-reads"), reads === null ? "–" : count(reads));
  text($("t-writes"), writes === null ? "–" : count(writes));
  text($("t-refused"), count(s.requests.refused));

  const wanted = Math.min(s.slabs_wanted_back, s.slabs_lent);
  const parts = [
    ["fill-one", (s.slabs_lent - wanted) / s.slabs_total, "taken", s.slabs_lent - wanted],
    ["fill-two", wanted / s.slabs_total, "taken, and asked back", wanted],
    ["", s.slabs_free / s.slabs_total, "free", s.slabs_free],
  ];
  bar($("memory"), parts);
  $("memory").setAttribute("aria-label", parts.map(([, share, name]) => `${name} ${percent(share)}`).join(", "));
  each(
    $("memory-legend"),
    parts,
    () => {
      const item = element("li");
      item.append(element("i", "box"), element("span"), element("b"));
      return item;
    },
    (item, [className, share, name, slabs]) => {
      item.children[0].className = `box ${className}`;
      text(item.children[1], name);
      text(item.children[2], `${bytes(slabs * slab)}, ${percent(share)}`);
    },
  );
  text(
    $("resident"),
    `${bytes(s.resident_bytes)} resident, ${bytes(s.locked_bytes)} of it locked; slabs of ${bytes(slab)}`,
  );

  rows(
    $("exports"),
    s.exports.map((one) => [
      one.name,
      one.identity || "–",
      one.owner,
      bytes(one.slabs * slab),
      bytes(one.slabs_elsewhere_too * slab),
      one.links > 0 ? count(one.links) : { text: "none", className: "bad" },
      String(one.epoch),
      one.links > 0 ? "held" : `${elapsed(one.lease_seconds_left)} left`,
    ]),
  );
  orNone($("exports"), $("exports-none"), "No server uses this memory.");
  rows(
    $("owners"),
    s.owners.map((one) => [
      one.name,
      count(one.exports),
      bytes(one.bytes),
      one.limit_bytes < 0 ? "all there is" : bytes(one.limit_bytes),
    ]),
  );
  orNone($("owners"), $("owners-none"), "Nobody holds anything.");

  rates.add(now.at, [reads, writes]);
  lent.add(now.at, [s.slabs_lent * slab, s.slabs_wanted_back * slab]);
}

watch(
  "donor",
  async () => ({ status: await askJson("/status") }),
  show,
  () => {
    looks.clear();
    rates.gap();
    lent.gap();
  },
);
