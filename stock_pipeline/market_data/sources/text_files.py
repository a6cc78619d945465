"""Text files of cells: what separates the cells, which lines do not fit, and on which line of the file a row stands."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from stock_pipeline.core.errors import InputError

SEPARATORS = ",;\t|"
SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t|])"?', re.IGNORECASE)  # what Excel writes and heeds before the header
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
GZIP_ENDING = ".gz"


@dataclass(frozen=True)
class TextFile:
    """The text of a file, in UTF-8 with line feeds; ``before`` are the lines that stand before its header."""

    path: Path
    data: bytes
    separator: str
    before: int = 0


def read_text_file(path: Path) -> TextFile:
    """The file as text, whatever marks the ends of its lines; UTF-16 is known by its mark.

    Raises:
        InputError: it is in an encoding without a mark that is not UTF-8, as far as its beginning shows.
        OSError, EOFError, UnicodeDecodeError: it cannot be read.
    """
    raw = path.read_bytes()
    data = gzip.decompress(raw) if path.suffix.lower() == GZIP_ENDING else raw
    if data.startswith(UTF_16_MARKS):
        data = data.decode("utf-16").encode()
    elif b"\0" in data[:1000]:
        raise InputError(f"{path} holds zero bytes, as text in UTF-16 without its mark does; save it in UTF-8")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    text = data.lstrip(b"\r\n")
    blank = data.count(b"\n", 0, len(data) - len(text))
    header = text[: text.find(b"\n") + 1 or None]
    said = SEPARATOR_LINE.fullmatch(header.removeprefix(b"\xef\xbb\xbf").strip())
    if said:
        return TextFile(path, text[len(header) :], said[1].decode(), blank + 1)
    return TextFile(path, text, max(SEPARATORS, key=header.decode(errors="replace").count), blank)


def cells_of(text: TextFile) -> pl.DataFrame:
    """Everything as text, so that a cell that does not fit can be named instead of guessed away; a blank line is a row of nulls.

    Raises:
        InputError: it is not in UTF-8, or a line has fewer or more cells than the header.
        PolarsError: it cannot be read for another reason.
    """
    try:
        cells = pl.read_csv(text.data, infer_schema=False, separator=text.separator)
    except pl.exceptions.ComputeError as error:
        fault = _fault(text)
        if fault is None:
            raise
        raise fault from error
    if _may_be_ragged(text, cells):
        fault = _ragged_line(text)
        if fault is not None:
            raise fault
    return cells


def line_of(text: TextFile, row: int) -> int | None:
    """The line of the file on which a row of ``cells_of`` begins, None where it cannot be determined."""
    try:
        line, _cells = next(islice(_records(text), row + 1, None))
    except (StopIteration, csv.Error):
        return None
    return line


def _records(text: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Where each record begins and what its cells are, the header first; none for a blank line."""
    reader = csv.reader(io.StringIO(text.data.decode("utf-8-sig", errors="replace"), newline=""), delimiter=text.separator)
    line = 1
    for cells in reader:
        yield line + text.before, cells
        line = reader.line_num + 1


def _fault(text: TextFile) -> InputError | None:
    try:
        text.data.decode()
    except UnicodeDecodeError as error:
        line = text.data.count(b"\n", 0, error.start) + 1 + text.before
        return InputError(f"{text.path} is not in UTF-8 (perhaps Latin-1 or Windows-1252), as line {line} shows; save it in UTF-8")
    return _ragged_line(text)


def _may_be_ragged(text: TextFile, cells: pl.DataFrame) -> bool:
    """Whether it is worth walking through the lines: Polars fills up those that end too soon."""
    if cells.width < 2 or not cells.to_series(-1).has_nulls():
        return False
    wanted = (cells.height + 1) * (cells.width - 1)
    return b'"' in text.data or text.data.count(text.separator.encode()) != wanted


def _ragged_line(text: TextFile) -> InputError | None:
    try:
        records = _records(text)
        _line, header = next(records)
        wrong = next(((line, len(cells)) for line, cells in records if cells and len(cells) != len(header)), None)
    except (StopIteration, csv.Error):
        return None
    if wrong is None:
        return None
    line, width = wrong
    if len(header) == 1:
        return InputError(f"{text.path}: line {line} has {width} cells and the first line one; take out what stands above the header")
    remedy = "complete it or take it out" if width < len(header) else f"put a cell that holds {text.separator!r} between quotes"
    return InputError(f"{text.path}: line {line} has {width} {'cell' if width == 1 else 'cells'}, the header {len(header)}; {remedy}")
