// What the pages of a server and of a donor share: asking, the state of the contact, and texts. Everything that comes from
// outside is set as text, never as markup.

export const $ = (id) => document.getElementById(id);

const PERIOD_MS = 1000;
const PATIENCE_MS = 8000;
const TOKEN = "leap-nbd-token";

let token = null;
try {
  token = sessionStorage.getItem(TOKEN);
} catch {
  token = null; // Storage is switched off: the token lasts as long as the page.
}

/** A refusal or a silence, in words. */
export class NoAnswer extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Asks this endpoint; gives back the response, or throws a NoAnswer. */
export async function ask(path, method = "GET") {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { method, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (e) {
    throw new NoAnswer(e.name === "TimeoutError" ? `no answer within ${PATIENCE_MS / 1000} s` : "no connection", 0);
  }
  if (!response.ok) {
    throw new NoAnswer((await response.text()).trim() || `status ${response.status}`, response.status);
  }
  return response;
}

export const askJson = async (path) => (await ask(path)).json();

/** Sets a text if it is another one: what does not change is not touched, so that selections and screen readers stay. */
export function text(node, value) {
  const wanted = String(value);
  if (node.textContent !== wanted) {
    node.textContent = wanted;
  }
}

export function element(name, className, content) {
  const made = document.createElement(name);
  if (className) {
    made.className = className;
  }
  if (content !== undefined) {
    made.textContent = content;
  }
  return made;
}

/** Makes the children of a node as many as there are items, and has each one filled. */
export function each(parent, items, make, fill) {
  while (parent.children.length > items.length) {
    parent.lastElementChild.remove();
  }
  items.forEach((item, i) => {
    if (i >= parent.children.length) {
      parent.append(make());
    }
    fill(parent.children[i], item);
  });
}

/** Fills a table's body. A cell is a text, or {text, className, bar}. */
export function rows(table, all) {
  const labels = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
  const roles = table.getAttribute("role") === "table";
  each(
    table.tBodies[0],
    all,
    () => {
      const row = element("tr");
      labels.forEach((label) => {
        const cell = element("td");
        cell.dataset.label = label;
        if (roles) {
          cell.setAttribute("role", "cell");
        }
        row.append(cell);
      });
      if (roles) {
        row.setAttribute("role", "row");
      }
      return row;
    },
    (row, cells) => cells.forEach((cell, i) => fillCell(row.children[i], cell)),
  );
}

function fillCell(node, cell) {
  const value = typeof cell === "object" ? cell : { text: cell };
  const className = value.className || "";
  if (node.className !== className) {
    node.className = className;
  }
  if (!value.bar) {
    text(node, value.text);
    return;
  }
  if (!node.firstElementChild) {
    const inner = element("div");
    inner.append(element("div", "bar"), element("span"));
    inner.firstElementChild.setAttribute("aria-hidden", "true");
    node.replaceChildren(inner);
  }
  bar(node.querySelector(".bar"), value.bar);
  text(node.querySelector(".bar + span"), value.text);
}

/** Draws shares of a whole; parts is [[className, share 0..1], …]. */
export function bar(node, parts) {
  each(
    node,
    parts,
    () => element("span"),
    (span, [className, share]) => {
      span.className = className;
      span.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
    },
  );
}

/** Puts a table in place of sentences when it has rows. */
export function orNone(table, none, sentence) {
  const empty = table.tBodies[0].children.length === 0;
  table.hidden = empty;
  text(none, empty ? sentence : "");
}

export function degraded(complaints) {
  const none = $("degraded-none");
  none.hidden = complaints.length > 0;
  text(none, "Nothing is degraded.");
  each($("degraded"), complaints, () => element("li"), text);
}

export function security(lines) {
  each(
    $("security"),
    lines,
    () => {
      const item = element("li");
      item.append(element("span", "mark"), element("span", "part"), element("span", "detail"));
      return item;
    },
    (item, line) => {
      const [mark, part, detail] = item.children;
      mark.className = line.holds ? "mark holds" : "mark open";
      text(mark, line.holds ? "✓ ok" : "⚠ open");
      text(part, line.part);
      text(detail, `: ${line.detail}`);
    },
  );
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1610612736 → 1.5 GiB. */
export function bytes(value) {
  let unit = 0;
  let scaled = value;
  while (scaled >= 1024 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const digits = unit > 0 && scaled < 10 && scaled % 1 !== 0 ? 1 : 0;
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

/** As settings take it: 16777216 → 16M, or the bare number. */
export function size(value) {
  for (const [unit, shift] of [["G", 2 ** 30], ["M", 2 ** 20], ["K", 2 ** 10]]) {
    if (value > 0 && value % shift === 0) {
      return `${value / shift}${unit}`;
    }
  }
  return String(value);
}

export const count = (value) => Math.round(value).toLocaleString("en");

/** Microseconds, with three digits. */
export function duration(us) {
  if (us === null || us === undefined || Number.isNaN(us)) {
    return "–";
  }
  const [value, unit] = us < 1000 ? [us, "µs"] : us < 1e6 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** 0.9123 → 91.2 %. */
export const percent = (share) =>
  share === null || share === undefined || Number.isNaN(share) ? "–" : `${(share * 100).toFixed(1)} %`;

/** Seconds, in the two largest units. */
export function elapsed(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.max(0, Math.floor(seconds));
  const said = [];
  for (const [unit, length] of parts) {
    const whole = Math.floor(left / length);
    left -= whole * length;
    if (whole > 0 || (said.length === 0 && length === 1)) {
      said.push(`${whole} ${unit}`);
    }
    if (said.length === 2) {
      break;
    }
  }
  return said.join(" ");
}

export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

/** How much a counter has grown a second between two looks; null if that cannot be told. */
export function rate(before, now, figure) {
  if (!before || now.at <= before.at) {
    return null;
  }
  return Math.max(0, figure(now) - figure(before)) / ((now.at - before.at) / 1000);
}

/** The latest looks; one that is at least so old, or the oldest. */
export class Looks {
  constructor() {
    this.all = [];
  }
  add(look) {
    this.all.push(look);
    if (this.all.length > 30) {
      this.all.shift();
    }
  }
  before(ms) {
    const now = this.all.at(-1);
    const older = this.all.filter((look) => look !== now && now.at - look.at <= ms + 500);
    return older[0] || this.all.at(-2) || null;
  }
  clear() {
    this.all = [];
  }
}

/**
 * Looks again and again. A look is {at, status, …}. When nobody answers the page says so, keeps the last values and goes on
 * asking; when the process behind the address is another one, what was counted before is forgotten.
 */
export function watch(role, look, show, forget) {
  const what = role === "serve" ? "server" : "donor";
  let start = null;
  let goneSince = null;
  let timer = null;

  function gone(failure) {
    const wantsToken = failure.status === 401;
    const now = Date.now();
    goneSince ??= now;
    document.body.classList.add("stale");
    $("contact").dataset.state = "gone";
    text($("contact"), wantsToken ? "token needed" : "no answer");
    const shown = $("alert");
    shown.hidden = wantsToken && !token;
    text(
      shown,
      wantsToken
        ? `The ${what} does not take this token.`
        : failure.status
          ? `The ${what} refuses: ${failure.message}`
          : `The ${what} does not answer since ${clock(goneSince)} (${failure.message}). What is shown is older. The page asks again every second.`,
    );
    const form = $("token-form");
    if (wantsToken && form.hidden) {
      form.hidden = false;
      $("token").focus();
    }
  }

  function back(now) {
    document.body.classList.remove("stale");
    $("alert").hidden = true;
    text($("alert"), "");
    $("token-form").hidden = true;
    $("contact").dataset.state = "live";
    text($("contact"), "live");
    const restarted = start !== null && start !== now.status.start;
    if (restarted) {
      forget();
      text($("news"), `The ${what} was started anew at ${clock(Date.parse(now.status.start))}.`);
    } else if (goneSince !== null && start !== null) {
      text($("news"), `The ${what} answers again since ${clock(now.at)}.`);
    }
    start = now.status.start;
    goneSince = null;
  }

  async function turn() {
    clearTimeout(timer);
    try {
      const now = await look();
      now.at = Date.now();
      if (now.status.role !== role) {
        location.reload(); // Another process has this address now, and a page of its own.
        return;
      }
      back(now);
      show(now);
    } catch (e) {
      gone(e instanceof NoAnswer ? e : new NoAnswer(String(e), 0));
      if (!(e instanceof NoAnswer)) {
        console.error(e);
      }
    }
    timer = setTimeout(turn, PERIOD_MS);
  }

  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token = $("token").value.trim();
    $("token").value = "";
    try {
      sessionStorage.setItem(TOKEN, token);
    } catch {
      // It lasts as long as the page.
    }
    turn();
  });
  turn();
}
