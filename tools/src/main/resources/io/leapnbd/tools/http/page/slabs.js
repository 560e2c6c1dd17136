// The device's slabs as cells: how full each one is, and whether it has its copies.

import { $, bytes, count, each, element, rows, text } from "./common.js";

const STATES = [
  ["o", "all copies", "--one"],
  ["f", "copies being filled", "--three"],
  ["s", "short of copies", "--two"],
  ["l", "pages lost", "--bad"],
  [".", "not in use", "--blank"],
];
const dark = matchMedia("(prefers-color-scheme: dark)");

export class SlabMap {
  constructor() {
    this.canvas = $("map");
    this.slabs = null;
    this.at = -1;
    this.columns = 1;
    this.side = 10;
    $("map-donor").addEventListener("change", () => {
      this.draw();
      this.tell();
    });
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerdown", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas.parentElement);
    dark.addEventListener("change", () => this.draw());
  }

  show(slabs, replicas) {
    if (slabs === this.slabs) {
      return;
    }
    this.slabs = slabs;
    this.replicas = replicas;
    const chosen = $("map-donor");
    const names = ["", ...slabs.donors.map((donor) => donor.name)];
    if (names.join("\n") !== [...chosen.options].map((option) => option.value).join("\n")) {
      const kept = chosen.value;
      each(chosen, names, () => element("option"), (option, name) => {
        option.value = name;
        text(option, name === "" ? "all donors" : `what ${name} holds`);
      });
      chosen.value = names.includes(kept) ? kept : "";
    }
    const each1 = slabs.slabs_per_cell === 1 ? "a slab" : `${count(slabs.slabs_per_cell)} slabs`;
    text(
      $("map-scale"),
      `A cell is ${each1}, ${bytes(slabs.slabs_per_cell * slabs.slab_size)}. The fuller it is, the more of it is coloured.`,
    );
    rows(
      $("map-states"),
      STATES.map(([state, name]) => [name, count([...slabs.cells].filter((one) => one === state).length)]),
    );
    this.draw();
  }

  holder() {
    return this.slabs.donors.find((donor) => donor.name === $("map-donor").value) ?? null;
  }

  draw() {
    if (!this.slabs) {
      return;
    }
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    const rem = parseFloat(style.fontSize);
    const width = this.canvas.clientWidth;
    const cells = this.slabs.cells.length;
    const ratio = devicePixelRatio || 1;
    // As large as fits in about five lines of cells, but neither dots nor tiles.
    const wanted = Math.sqrt((width * rem * 11) / cells);
    this.side = Math.max(rem * 0.55, Math.min(rem * 1.7, wanted));
    this.columns = Math.max(1, Math.floor(width / this.side));
    this.side = width / this.columns;
    if (cells < this.columns) {
      this.side = Math.min(this.side, rem * 1.7);
    }
    const lines = Math.ceil(cells / this.columns);
    const height = Math.ceil(lines * this.side);
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const colours = Object.fromEntries(STATES.map(([state, , name]) => [state, ink(name)]));
    const gap = Math.max(1, this.side * 0.12);
    const holder = this.holder();
    for (let i = 0; i < cells; i++) {
      const state = this.slabs.cells[i];
      const x = (i % this.columns) * this.side;
      const y = Math.floor(i / this.columns) * this.side;
      const edge = this.side - gap;
      pen.globalAlpha = 1;
      pen.fillStyle = colours["."];
      pen.fillRect(x, y, edge, edge);
      if (state !== ".") {
        pen.globalAlpha = holder && holder.holds[i] !== "1" ? 0.15 : 1;
        pen.strokeStyle = pen.fillStyle = colours[state];
        const full = (edge * Number(this.slabs.written[i])) / 9;
        pen.fillRect(x, y + edge - full, edge, full);
        pen.lineWidth = Math.max(1, gap);
        pen.strokeRect(x + pen.lineWidth / 2, y + pen.lineWidth / 2, edge - pen.lineWidth, edge - pen.lineWidth);
        if (state !== "o") {
          this.mark(pen, state, x, y, edge, ink("--panel"));
        }
      }
      if (i === this.at) {
        pen.globalAlpha = 1;
        pen.strokeStyle = ink("--ink");
        pen.lineWidth = 2;
        pen.strokeRect(x + 1, y + 1, edge - 2, edge - 2);
      }
    }
  }

  /** A shape for each state that is not as it should be: colours are not enough. */
  mark(pen, state, x, y, edge, colour) {
    pen.beginPath();
    pen.moveTo(x + edge * 0.25, y + edge * 0.75);
    pen.lineTo(x + edge * 0.75, y + edge * 0.25);
    if (state === "l") {
      pen.moveTo(x + edge * 0.25, y + edge * 0.25);
      pen.lineTo(x + edge * 0.75, y + edge * 0.75);
    } else if (state === "f") {
      pen.moveTo(x + edge * 0.25, y + edge * 0.5);
      pen.lineTo(x + edge * 0.5, y + edge * 0.25);
    }
    pen.strokeStyle = colour;
    pen.lineWidth = Math.max(1, edge * 0.14);
    pen.stroke();
  }

  point(event) {
    const column = Math.floor(event.offsetX / this.side);
    const at = Math.floor(event.offsetY / this.side) * this.columns + column;
    this.go(column < this.columns && this.slabs && at < this.slabs.cells.length ? at : -1);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    if (step && this.slabs) {
      event.preventDefault();
      this.go(Math.max(0, Math.min(this.slabs.cells.length - 1, this.at < 0 ? 0 : this.at + step)));
    }
  }

  go(at) {
    if (at !== this.at) {
      this.at = at;
      this.draw();
      this.tell();
    }
  }

  tell() {
    if (this.at < 0 || !this.slabs) {
      return;
    }
    const each1 = this.slabs.slabs_per_cell;
    const first = this.at * each1;
    const last = Math.min(first + each1, this.slabs.slabs) - 1;
    const name = STATES.find(([state]) => state === this.slabs.cells[this.at])[1];
    const at = this.slabs.donors.filter((donor) => donor.holds[this.at] === "1").map((donor) => donor.name);
    text(
      $("map-cell"),
      `Slab${first === last ? ` ${first}` : `s ${first} to ${last}`}: ${name}` +
        (at.length ? `; at ${at.join(", ")}; about ${Math.round((Number(this.slabs.written[this.at]) / 9) * 100)} % written` : ""),
    );
  }
}
