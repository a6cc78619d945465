"""Tables laid out for a width. Text and dates are shortened in a fixed order, figures never. Pure: columns and cells in, lines out."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size

GAP: Final = "  "
NARROWEST: Final = {1: 8, 2: 12}  # least width in cells, by the rank of ``gives_way``
YEAR = re.compile(r"\b\d{4}-(?=\d\d-\d\d)")


@dataclass(frozen=True)
class Column:
    """A column of a table that is shown."""

    title: str
    right: bool = False  # whether its cells end at the right, as figures do
    dated: bool = False  # whether its cells have dates, which may lose their year
    gives_way: int | None = None  # 1: its cells are cut first, 2: they are cut once dates have lost their year, None: they are never cut


@dataclass(frozen=True)
class Block:
    """Some of the columns of a table, side by side: all of them where they fit."""

    header: tuple[str, ...]  # lines
    rows: tuple[str, ...]  # a line for each row


@dataclass(frozen=True)
class LaidOut:
    """A table as it is printed."""

    blocks: tuple[Block, ...]  # one below the other
    without_years: bool  # whether dates have lost their year


def figure(title: str) -> Column:
    """A column of figures, which are never cut."""
    return Column(title, right=True)


def day(title: str) -> Column:
    """A column of dates, or of moments: they lose their year where there is little room."""
    return Column(title, dated=True)


def identifier(title: str) -> Column:
    """A column of names that rows are found by; they are cut last of all."""
    return Column(title, gives_way=2)


def words(title: str) -> Column:
    """A column of words that can be guessed from their beginning; they are cut first."""
    return Column(title, gives_way=1)


def laid_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, keys: int = 1) -> LaidOut:
    """The table in lines of at most ``width`` cells, wider only where a figure beside the keys does not fit.

    Headers wrap first. Then words are cut, dates lose their year (the widest column first), and identifiers are cut. Columns that still
    do not fit go into further blocks below, each with the keys repeated.

    Args:
        columns: the columns, at least as many as ``keys``.
        rows: a cell for each column, plain text of one line.
        width: cells of the terminal, at least 1.
        keys: how many of the first columns say what a row is about.
    """
    cells = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in columns]
    widths = _narrowed(columns, cells, width, 1)
    without_years = False
    for number in sorted(range(len(columns)), key=lambda number: -widths[number]):
        if columns[number].dated and _total(widths) > width:
            shorter = [YEAR.sub("", cell) for cell in cells[number]]
            without_years |= shorter != cells[number]
            cells[number] = shorter
            widths = _narrowed(columns, cells, width, 1)
    if _total(widths) > width:
        widths = _narrowed(columns, cells, width, 2)
    groups = _groups(widths, width, keys)
    return LaidOut(tuple(_block(columns, cells, widths, group) for group in groups), without_years)


def _narrowed(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, rank: int) -> list[int]:
    """The widths of the columns when cells that give way up to ``rank`` may be cut, as wide as there is room."""
    longest = [max(map(cell_len, own), default=0) for own in cells]
    widths = [max(cells_of, cell_len(column.title)) for column, cells_of in zip(columns, longest, strict=True)]
    for step in range(rank + 1):
        floors = [_floor(column, widest, step) for column, widest in zip(columns, longest, strict=True)]
        _shrink(widths, floors, _total(widths) - width)
    return widths


def _floor(column: Column, longest: int, rank: int) -> int:
    least = longest if column.gives_way is None or column.gives_way > rank else min(longest, NARROWEST[column.gives_way])
    return max(least, max(map(cell_len, column.title.split()), default=0))


def _shrink(widths: list[int], floors: Sequence[int], excess: int) -> None:
    """Narrow the widest column above its floor, cell by cell, until the excess is gone or every column is at its floor."""
    while excess > 0:
        able = [number for number, floor in enumerate(floors) if widths[number] > floor]
        if not able:
            return
        widths[max(able, key=lambda number: widths[number])] -= 1
        excess -= 1


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _groups(widths: Sequence[int], width: int, keys: int) -> Iterator[list[int]]:
    """The numbers of the columns of each block: as many as fit beside the keys, at least one."""
    group = list(range(keys))
    for number in range(keys, len(widths)):
        if len(group) > keys and _total([widths[one] for one in [*group, number]]) > width:
            yield group
            group = list(range(keys))
        group.append(number)
    yield group


def _block(columns: Sequence[Column], cells: Sequence[Sequence[str]], widths: Sequence[int], group: Sequence[int]) -> Block:
    titles = [_wrapped(columns[number].title, widths[number]) for number in group]
    height = max(map(len, titles))
    upright = [[""] * (height - len(title)) + title for title in titles]

    def line(cell: Callable[[int], str]) -> str:
        placed = (_placed(cell(place), widths[number], columns[number].right) for place, number in enumerate(group))
        return GAP.join(placed).rstrip()

    header = tuple(line(lambda place, level=level: upright[place][level]) for level in range(height))  # type: ignore[misc]
    rows = range(len(cells[group[0]]))
    return Block(header, tuple(line(lambda place, row=row: cells[group[place]][row]) for row in rows))  # type: ignore[misc]


def _wrapped(title: str, width: int) -> list[str]:
    lines = [""]
    for word in title.split():
        joined = f"{lines[-1]} {word}".strip()
        if cell_len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _placed(text: str, width: int, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)
