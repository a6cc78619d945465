"""The only place that prints for people to read. Markup, emoji codes and control sequences in what is printed are never interpreted."""

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stock_pipeline.command_line.layout import Column, laid_out
from stock_pipeline.command_line.text import plain

WIDTH_WITHOUT_TERMINAL: Final = 100
NARROWEST, WIDEST = 20, 1_000
NONE: Final = "-"
INDENT: Final = "  "
SIMPLER: Final = str.maketrans({"─": "-", "…": "~"})
GOOD, BAD, HEADING = "green", "red", "bold"


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # for ``errors``, whose exit code does not say that something is wrong


def terminal() -> Console:
    """The console, without markup, emoji codes or highlights. Its width is COLUMNS, else that of the terminal, else 100 cells."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and len(columns) < 6 and int(columns) > 0 else None
    if width is None and not (sys.stdout is not None and sys.stdout.isatty()):
        width = WIDTH_WITHOUT_TERMINAL
    width = None if width is None else min(max(width, NARROWEST), WIDEST)
    return _Terminal(width=width, markup=False, emoji=False, highlight=False)


def say(text: object, style: str = "", lead: str = "", lead_style: str = BAD) -> None:
    """Print text, its words wrapped at the width of the terminal and indented from the second line on; a long path stays whole.

    Args:
        text: what to say; control characters are escaped.
        style: how rich draws it, such as "bold".
        lead: words before it that are drawn otherwise.
        lead_style: how rich draws these.
    """
    console = terminal()
    start = plain(lead)
    full = f"{start} {plain(text)}" if start else plain(text)
    lines = textwrap.wrap(full, console.width, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    shown = Text("\n".join(lines), style=style)
    if start:
        shown.stylize(lead_style, 0, len(start))
    _put(console, shown)


def heading(title: str = "") -> None:
    """Print an empty line, and below it the title of what follows, if it has one."""
    terminal().print()
    if title:
        say(title, style="italic")


def show_table(title: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], keys: int = 1) -> None:
    """Print a table that reads at the width of the terminal; see ``layout.laid_out``. A cell of None is shown as a dash.

    Args:
        title: what stands above it.
        columns: the columns.
        rows: a cell for each column.
        keys: how many of the first columns say what a row is about; they stand beside the others wherever these find room.
    """
    console = terminal()
    cells = [[NONE if cell is None else plain(cell) for cell in row] for row in rows]
    heading(title)
    if not cells:
        _put(console, Text("none", style="dim"))
        return
    table = laid_out(columns, cells, console.width, keys)
    for number, block in enumerate(table.blocks):
        if number:
            console.print()
        width = max(map(cell_len, (*block.header, *block.rows)))
        for line in block.header:
            _put(console, Text(line, style=HEADING))
        _put(console, Text("─" * min(width, console.width)))
        for line in block.rows:
            _put(console, Text(line))
    if table.without_years:
        say("Some dates are shown without their year; a wider terminal shows it.", style="dim")


def _put(console: Console, text: Text) -> None:
    """Print lines as they are; characters that the encoding of the output lacks are replaced."""
    try:
        text.plain.encode(console.encoding)
    except UnicodeEncodeError:
        written = text.plain.translate(SIMPLER).encode(console.encoding, "backslashreplace").decode(console.encoding)
        text = Text(written, style=text.style)
    console.print(text, soft_wrap=True)
