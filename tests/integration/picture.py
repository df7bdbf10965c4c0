# SPDX-License-Identifier: BSD-3-Clause
"""A terminal's screen as an SVG: text stays text. `python3 tests/integration/picture.py CAPTURE > PICTURE.svg` makes one of
what `tmux capture-pane -e -p` wrote; test_ctl.py makes docs/pictures/top.svg anew where TURNPIKE_PICTURES says so."""

import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 12
PLAIN, GROUND = "#d8dee4", "#16191d"
COLOURS = ["#3b4048", "#ff6b64", "#7fd57f", "#f2cc60", "#6cb6ff", "#dcbdfb", "#76d9e6", PLAIN]
STYLE = "font: 14px 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre"


class Style:
    def __init__(self):
        self.colour, self.bold, self.faint, self.reverse = None, False, False, False

    def take(self, codes):
        """The numbers of an SGR sequence."""
        for code in [int(code or 0) for code in codes.split(";")]:
            if code == 0:
                self.__init__()
            elif code in (1, 2, 7):
                setattr(self, {1: "bold", 2: "faint", 7: "reverse"}[code], True)
            elif code in (22, 27):
                self.bold, self.faint, self.reverse = self.bold and code != 22, self.faint and code != 22, code != 27
            elif 30 <= code <= 37:
                self.colour = COLOURS[code - 30]
            elif code == 39:
                self.colour = None

    def attributes(self):
        text = f' fill="{GROUND if self.reverse else self.colour or PLAIN}"'
        text += ' font-weight="bold"' * self.bold
        return text + ' opacity="0.6"' * self.faint


def runs(line, style):
    """(column, text, style's attributes, whether it is reversed) of a line; the style goes on to the next."""
    column = 0
    for piece in re.split(r"(\x1b\[[0-9;]*m|\x1b\(.|[\x0e\x0f])", line):
        sequence = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if sequence:
            style.take(sequence.group(1))
        elif piece and piece[0] >= " ":
            yield column, piece, style.attributes(), style.colour or PLAIN if style.reverse else None
            column += len(piece)


def draw(capture, columns, rows):
    width, height = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
    yield f'viewBox="0 0 {width:.0f} {height:.0f}" style="{STYLE}">\n'
    yield f'<rect width="100%" height="100%" rx="6" fill="{GROUND}"/>\n'
    style = Style()
    for row, line in enumerate(capture.split("\n")[:rows]):
        top = MARGIN + row * HEIGHT
        for column, text, attributes, ground in runs(line, style):
            left, length = MARGIN + column * WIDTH, len(text) * WIDTH
            if ground and column + len(text) >= columns - 1:
                length = (columns - column) * WIDTH  # a last blank is not captured
            if ground:
                yield f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{HEIGHT}" fill="{ground}"/>\n'
            if text.strip():
                yield f'<text x="{left:.1f}" y="{top + 14}" textLength="{length:.1f}" xml:space="preserve"{attributes}>'
                yield f"{escape(text)}</text>\n"
    yield "</svg>\n"


def picture(capture, columns=80, rows=24):
    return "".join(draw(capture, columns, rows))


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        sys.stdout.write(picture(file.read()))
