"""The table: as JSON, as Markdown, as a plot."""

import json
import os

# Of these more is better; of all others less.
MORE_IS_BETTER = {"iops"}
UNITS = {"iops": "IOPS", "p50": "p50, us", "p99": "p99, us", "p999": "p99.9, us", "cpu": "server CPU, us a request"}


class Row:
    """One figure of ours beside another's, or beside 1 where the figure itself is what counts; wanted is None where nothing was set."""

    def __init__(self, comparison, figure, ours, theirs, wanted):
        self.comparison = comparison
        self.figure = figure
        self.ours = ours
        self.theirs = theirs
        self.wanted = wanted
        self.ratio = ours / theirs if theirs else float("inf")
        self.met = self.meets(self.ratio)

    def meets(self, ratio):
        if self.wanted is None:
            return True
        return ratio >= self.wanted if self.figure in MORE_IS_BETTER else ratio <= self.wanted

    def json(self):
        return dict(self.__dict__)

    def label(self):
        return f"{self.comparison}: {UNITS.get(self.figure, self.figure)}"

    def ratio_text(self):
        """Two decimals, or as many as it takes to see on which side of the wanted one it is."""
        for digits in range(2, 6):
            text = f"{self.ratio:.{digits}f}"
            if self.meets(float(text)) == self.met:
                break
        return text

    def met_text(self):
        return "" if self.wanted is None else "yes" if self.met else "**no**"

    def wanted_text(self):
        if self.wanted is None:
            return ""
        return ("≥ " if self.figure in MORE_IS_BETTER else "≤ ") + f"{self.wanted:g}"


def markdown(rows, about):
    lines = [
        f"{about['date']}, {about['machine']}; medians of {about['rounds']} alternating rounds of {about['seconds']} s, {about['size']};"
        f" leap-nbd with{'' if about['pinned'] else 'out'} --pin. The hypervisor kept back {about['stolen']:.1%} of the processor time.",
        "",
        "| comparison | figure | leap-nbd | other | ratio | wanted | met |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.comparison} | {UNITS.get(row.figure, row.figure)} | {row.ours:,.1f} | {row.theirs:,.1f} | {row.ratio_text()} |"
            f" {row.wanted_text()} | {row.met_text()} |"
        )
    return "\n".join(lines) + "\n"


def plot(rows):
    """Each row's ratio as a share of what is wanted: a bar that ends left of the line has met it; one with an arrow goes on."""
    rows = [row for row in rows if row.wanted is not None]
    height, top, unit, most, figure = 22, 40, 140, 2.4, 70
    # Room for the longest label in a wide font: 7 pixels a character at this size.
    bars = 20 + 7 * max((len(row.label()) for row in rows), default=0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{bars + most * unit + figure:.0f}"'
        f' height="{top + height * len(rows) + 20}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="20">ratio as a share of the wanted one; left of the line is met</text>',
    ]
    for number, row in enumerate(rows):
        share = row.wanted / row.ratio if row.figure in MORE_IS_BETTER and row.ratio else row.ratio / row.wanted
        y = top + number * height
        width = min(share, most) * unit
        colour = "#2a7" if row.met else "#c33"
        text = row.label().replace("&", "&amp;").replace("<", "&lt;")
        lines.append(f'<text x="10" y="{y + 14}">{text}</text>')
        lines.append(f'<rect x="{bars}" y="{y + 3}" width="{width:.0f}" height="14" fill="{colour}"/>')
        cut = "→ " if share > most else ""
        lines.append(f'<text x="{bars + max(width, unit) + 6:.0f}" y="{y + 14}" fill="{colour}">{cut}{share:.2f}</text>')
    lines.append(f'<line x1="{bars + unit}" y1="{top - 6}" x2="{bars + unit}" y2="{top + height * len(rows)}" stroke="black"/>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def write_report(folder, rows, about, say):
    os.makedirs(folder, exist_ok=True)
    files = {
        "bench.json": json.dumps({**about, "rows": [row.json() for row in rows]}, indent=1) + "\n",
        "bench.md": markdown(rows, about),
        "bench.svg": plot(rows),
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    say("")
    say(files["bench.md"])
    say(f"in {folder}: {', '.join(files)}")
