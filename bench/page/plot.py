# SPDX-License-Identifier: BSD-3-Clause
"""Line and bar charts as small SVG: the same numbers make the same bytes, and they are read on light and dark pages."""

import dataclasses
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 52
BAR = 22
# On light pages, on dark ones.
COLOURS = {
    "blue": ("#0969da", "#58a6ff"),
    "orange": ("#bc4c00", "#f0883e"),
    "green": ("#1a7f37", "#3fb950"),
    "purple": ("#8250df", "#bc8cff"),
    "red": ("#cf222e", "#ff7b72"),
    "grey": ("#6e7781", "#9da7b1"),
}
STYLE = """
text { font: 12px DejaVu Sans, Verdana, sans-serif; fill: #1f2328 }
.title { font-weight: bold; font-size: 14px } .note { fill: #57606a }
.grid { stroke: #8c959f; stroke-opacity: .35 } .axis { stroke: #8c959f }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
COLOURS
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .note { fill: #9da7b1 }
DARK }
""".strip()


@dataclasses.dataclass
class Axis:
    label: str
    is_log: bool = False
    ticks: list = None  # chosen when there are none


@dataclasses.dataclass
class Series:
    name: str
    points: list  # (x, y), or of bars (name, value)


def short(number):
    """1500 as 1.5k, 4000000 as 4M."""
    for limit, unit in (1e6, "M"), (1e3, "k"):
        if abs(number) >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"


def nice_step(span, count=6):
    """1, 2 or 5 times a power of ten: no more than count of them in the span."""
    power = 10 ** math.floor(math.log10(span / count))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * count >= span)


def linear_ticks(greatest):
    step = nice_step(greatest)
    return [step * i for i in range(math.ceil(greatest / step) + 1)]


def log_ticks(least, greatest):
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(greatest))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def ticks_of(axis, values):
    return axis.ticks or (log_ticks(min(values), max(values)) if axis.is_log else linear_ticks(max(values)))


def place(axis, ticks, start, end):
    """From a value to its coordinate."""
    scale = math.log10 if axis.is_log else float
    low, high = scale(ticks[0]), scale(ticks[-1])
    return lambda value: start + (scale(value) - low) / (high - low) * (end - start)


def marker(number, x, y, colour):
    """Each series has its own shape, too: colours alone are not for everyone."""
    shapes = [
        f'<circle class="mark {colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<rect class="mark {colour}" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>',
        f'<path class="mark {colour}" d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>',
        f'<path class="mark {colour}" d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z"/>',
    ]
    return shapes[number % len(shapes)]


def style(used):
    """Of the colours that are used, in both kinds of page."""
    rules = [
        "\n".join(f".line.{name} {{ stroke: {COLOURS[name][dark]} }} .mark.{name} {{ fill: {COLOURS[name][dark]} }}" for name in used)
        for dark in (0, 1)
    ]
    return STYLE.replace("COLOURS", rules[0]).replace("DARK", rules[1])


def colour_of(number):
    return list(COLOURS)[number % len(COLOURS)]


def document(title, height, series_count, body):
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{style([colour_of(number) for number in range(min(series_count, len(COLOURS)))])}</style>",
            f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
            *body,
            "</svg>\n",
        ]
    )


def legend(names):
    parts, x = [], LEFT
    for number, name in enumerate(names):
        parts.append(marker(number, x + 5, 40, colour_of(number)))
        parts.append(f'<text x="{x + 15}" y="44">{escape(name)}</text>')
        x += 35 + 7 * len(name)
    return parts


def frame(x_axis, y_axis, x_ticks, y_ticks, at_x, at_y):
    bottom, parts = HEIGHT - BOTTOM, []
    for tick in y_ticks:
        y = at_y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="note" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    for tick in x_ticks:
        parts.append(
            f'<text class="note" x="{at_x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{short(tick)}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_axis.label)}</text>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(16 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(y_axis.label)}</text>'
    )
    return parts


def lines(title, x_axis, y_axis, series):
    """A line for each series that has points."""
    series = [one for one in series if one.points]
    x_ticks = ticks_of(x_axis, [x for one in series for x, _ in one.points])
    y_ticks = ticks_of(y_axis, [y for one in series for _, y in one.points])
    at_x = place(x_axis, x_ticks, LEFT + 12, WIDTH - RIGHT - 12)
    at_y = place(y_axis, y_ticks, HEIGHT - BOTTOM, TOP)
    body = legend([one.name for one in series]) + frame(x_axis, y_axis, x_ticks, y_ticks, at_x, at_y)
    for number, one in enumerate(series):
        colour = colour_of(number)
        places = [(at_x(x), at_y(y)) for x, y in one.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        body.append(f'<path class="line {colour}" d="M{path}"/>')
        body += [marker(number, x, y, colour) for x, y in places]
    return document(title, HEIGHT, len(series), body)


def bars(title, unit, series):
    """Lying bars, the value beside each: for few figures with long names."""
    rows = [(number, name, value) for number, one in enumerate(series) for name, value in one.points]
    left, top = 230, TOP
    greatest = max(value for _, _, value in rows)
    body = legend([one.name for one in series])
    for row, (number, name, value) in enumerate(rows):
        y, width = top + row * BAR, value / greatest * (WIDTH - left - 120)
        colour = colour_of(number)
        body.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        body.append(f'<rect class="mark {colour}" x="{left}" y="{y}" width="{width:.1f}" height="{BAR - 6}"/>')
        body.append(f'<text class="note" x="{left + width + 6:.1f}" y="{y + 13}">{short(value)} {escape(unit)}</text>')
    return document(title, top + BAR * len(rows) + 12, len(series), body)
