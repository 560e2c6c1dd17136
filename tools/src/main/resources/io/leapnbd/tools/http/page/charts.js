// Lines over the last five minutes, with a legend that has the newest values and a table that has all of them.

import { clock, each, element, rows, text } from "./common.js";

const SECONDS = 300;
const TABLE_ROWS = 60;
const STYLES = [
  { ink: "--one", dash: [], className: "" },
  { ink: "--two", dash: [6, 4], className: "two" },
  { ink: "--three", dash: [2, 3], className: "three" },
];
const dark = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** Whole minutes, not closer than their labels need. */
function times(from, to, width) {
  const least = (rem() * 3.4 * (to - from)) / width;
  const step = [60, 120, 300].find((seconds) => seconds >= least) ?? 300;
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    all.push(at);
  }
  return all;
}

function decades(from, to) {
  const all = [];
  for (let value = from; value <= to * 1.001; value *= 10) {
    all.push(value);
  }
  return all;
}

export class Chart {
  /** names: what the lines are; format: value → text; options: {log, max} of the vertical axis. */
  constructor(parent, label, names, format, options = {}) {
    this.names = names;
    this.format = format;
    this.options = options;
    this.data = [[], ...names.map(() => [])];
    this.plot = element("div", "plot");
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", `Chart: ${label}, over the last five minutes. The values are in the table below it.`);
    this.legend = element("ul", "legend");
    each(
      this.legend,
      names,
      () => {
        const item = element("li");
        item.append(element("i"), element("span"), element("b"));
        return item;
      },
      (item, name) => {
        item.children[0].className = STYLES[names.indexOf(name)].className;
        text(item.children[1], name);
        text(item.children[2], "–");
      },
    );
    this.details = element("details");
    this.details.append(element("summary", "", "Values as a table"));
    const scroll = element("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", `Values: ${label}`);
    this.table = element("table", "figures");
    const head = this.table.createTHead().insertRow();
    for (const name of ["Time", ...names]) {
      const cell = element("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    this.table.createTBody();
    scroll.append(this.table);
    this.details.append(scroll);
    this.details.addEventListener("toggle", () => this.fillTable());
    parent.append(this.plot, this.legend, this.details);
    new ResizeObserver(() => this.fit()).observe(this.plot);
    dark.addEventListener("change", () => this.draw());
    this.draw();
  }

  draw() {
    this.uplot?.destroy();
    const { width, height } = this.size();
    const axis = {
      stroke: colour("--soft"),
      font: `${Math.round(rem() * 0.75)}px system-ui, "DejaVu Sans", sans-serif`,
      grid: { stroke: colour("--grid"), width: 1 },
      ticks: { stroke: colour("--grid"), width: 1 },
    };
    this.uplot = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: true, range: () => this.span() },
          y: { distr: this.options.log ? 3 : 1, range: (_, low, high) => this.range(low, high) },
        },
        axes: [
          {
            ...axis,
            size: rem() * 1.9,
            splits: (plot, _, from, to) => times(from, to, plot.width),
            values: (_, splits) => splits.map((at) => clock(at * 1000).slice(0, 5)),
          },
          {
            ...axis,
            size: rem() * 4.2,
            space: rem() * 2,
            ...(this.options.log ? { splits: (_, __, from, to) => decades(from, to), filter: (_, splits) => splits } : {}),
            values: (_, splits) => splits.map((value) => this.format(value).replace(/\.0+ /, " ")),
          },
        ],
        series: [
          {},
          ...this.names.map((name, i) => ({
            label: name,
            stroke: colour(STYLES[i].ink),
            dash: STYLES[i].dash,
            width: Math.max(1.5, rem() / 10),
            points: { show: false },
          })),
        ],
      },
      this.data,
      this.plot,
    );
  }

  size() {
    return { width: Math.max(120, this.plot.clientWidth), height: Math.max(80, this.plot.clientHeight) };
  }

  fit() {
    const { width, height } = this.size();
    if (width !== this.uplot.width || height !== this.uplot.height) {
      this.draw(); // Sizes of texts follow the window, too.
    }
  }

  span() {
    const now = this.data[0].at(-1) ?? Date.now() / 1000;
    return [now - SECONDS, now];
  }

  range(low, high) {
    if (this.options.max) {
      return [0, this.options.max];
    }
    if (!this.options.log) {
      return [0, high > 0 ? high * 1.1 : 1];
    }
    if (!(low > 0)) {
      return [10, 1000];
    }
    const from = 10 ** Math.floor(Math.log10(low));
    return [from, Math.max(10 * from, 10 ** Math.ceil(Math.log10(high)))];
  }

  /** Adds the values of a moment; null is for none. */
  add(ms, values) {
    const at = ms / 1000;
    this.data[0].push(at);
    values.forEach((value, i) => this.data[i + 1].push(value));
    while (this.data[0][0] < at - SECONDS) {
      this.data.forEach((line) => line.shift());
    }
    this.uplot.setData(this.data);
    values.forEach((value, i) => text(this.legend.children[i].children[2], value === null ? "–" : this.format(value)));
    this.fillTable();
  }

  /** A gap: what comes is of another process. */
  gap() {
    if (this.data[0].length > 0) {
      this.add(Date.now(), this.names.map(() => null));
    }
  }

  fillTable() {
    if (!this.details.open) {
      return;
    }
    const times = this.data[0];
    const wanted = [];
    for (let i = times.length - 1; i >= 0 && wanted.length < TABLE_ROWS; i--) {
      wanted.push([
        clock(times[i] * 1000),
        ...this.data.slice(1).map((line) => (line[i] === null ? "–" : this.format(line[i]))),
      ]);
    }
    rows(this.table, wanted);
  }
}
