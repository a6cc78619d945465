"""How text files are decoded, separated and counted in lines."""

from pathlib import Path

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.tabular import read_table
from stock_pipeline.market_data.sources.text_files import cells_of, line_of, read_text_file

ROWS = [("A", "1"), ("B", "2")]


def written(folder: Path, content: bytes, name: str = "some.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\nA,1\nB,2\n",
        b"a,b\r\nA,1\r\nB,2\r\n",
        b"a,b\rA,1\rB,2\r",
        b"a,b\nA,1\nB,2",
        b"\n\r\na,b\nA,1\nB,2\n",
        b"\xef\xbb\xbfa,b\nA,1\nB,2\n",
        b"sep=,\na,b\nA,1\nB,2\n",
        b"sep=;\r\na;b\r\nA;1\r\nB;2\r\n",
        b"\xef\xbb\xbfSEP=;\na;b\nA;1\nB;2\n",
        b'"sep=|"\na|b\nA|1\nB|2\n',
        "a,b\nA,1\nB,2\n".encode("utf-16"),
        "a\tb\r\nA\t1\r\nB\t2\r\n".encode("utf-16"),
        b"\xfe\xff" + "a;b\nA;1\nB;2\n".encode("utf-16-be"),
    ],
)
def test_text_is_read_whatever_its_line_ends_marks_and_encoding(tmp_path: Path, content: bytes) -> None:
    frame = read_table(written(tmp_path, content)).frame
    assert frame.columns == ["a", "b"]
    assert frame.rows() == ROWS


def test_the_name_of_a_column_may_be_in_another_encoding_as_long_as_no_cell_is(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path, b"a,W\xe4hrung\nA,1\nB,2\n")).frame
    assert frame.columns[0] == "a"
    assert frame.rows() == ROWS


def test_a_line_that_names_the_separator_is_obeyed(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b"sep=;\na,b;c,d;e,f,g\n1;2;3\n"))
    assert table.separator == ";"
    assert table.frame.columns == ["a,b", "c,d", "e,f,g"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a,b\nA,1\nB,2\n", [2, 3]),
        (b"a,b\n\nA,1\n\n\nB,2\n", [3, 6]),
        (b"a,b\n,\nA,1\n,\nB,2\n", [3, 5]),
        (b"\n\na,b\nA,1\nB,2\n", [4, 5]),
        (b"sep=,\na,b\nA,1\n\nB,2\n", [3, 5]),
        (b'a,b\n"A\nx",1\nB,2\n', [2, 4]),
        (b"a,b\r\nA,1\r\n\r\nB,2\r\n", [2, 4]),
        (b"a,b\rA,1\rB,2\r", [2, 3]),
        ("a,b\nA,1\n\nB,2\n".encode("utf-16"), [2, 4]),
    ],
)
def test_rows_are_told_by_the_lines_of_the_file(tmp_path: Path, content: bytes, lines: list[int]) -> None:
    table = read_table(written(tmp_path, content))
    assert [table.place(row) for row in range(table.frame.height)] == [f"line {line}" for line in lines]


def test_a_row_beyond_the_file_or_a_cell_beyond_measure_has_no_line(tmp_path: Path) -> None:
    text = read_text_file(written(tmp_path, b"a,b\nA,1\n"))
    assert line_of(text, 0) == 2
    assert line_of(text, 1) is None
    huge = written(tmp_path, b"a,b\n" + b"x" * 200_000 + b",1\nB,2\n")
    assert read_table(huge).place(1) == "row 2"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b\nA,1\nB,2,3\n", ": line 3 has 3 cells, the header 2; put a cell that holds ',' between quotes"),
        (b"a;b\n\nA;1\n\nB;2;3;4\n", ": line 5 has 4 cells, the header 2; put a cell that holds ';' between quotes"),
        (b"a,b,c\nA,1,2\n\nB,2\n", ": line 4 has 2 cells, the header 3; complete it or take it out"),
        (b"a,b,c\nA,1,2\nB\n", ": line 3 has 1 cell, the header 3; complete it or take it out"),
        (b'a,b,c\n"A,x",1,2\nB\n', ": line 3 has 1 cell, the header 3; complete it or take it out"),
        (b'a,b,c\n"A,x",1\n', ": line 2 has 2 cells, the header 3; complete it or take it out"),
        (b'\xef\xbb\xbf"a,x",b\nA,1\nB\n', ": line 3 has 1 cell, the header 2; complete it or take it out"),
        (b"sep=,\na,b\nA,1\nB,2,3\n", ": line 4 has 3 cells, the header 2; put a cell that holds ',' between quotes"),
        (b"Bars of A\n\na,b\nA,1\n", ": line 3 has 2 cells and the first line one; take out what stands above the header"),
        (b"a,b\nA,1\n\xc5,2\n", " is not in UTF-8 (perhaps Latin-1 or Windows-1252), as line 3 shows; save it in UTF-8"),
        ("a,b\nA,1\n".encode("utf-16-le"), " holds zero bytes, as text in UTF-16 without its mark does; save it in UTF-8"),
        (b"\n\n", " is empty; give a file with a header and rows"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    assert refusal(written(tmp_path, content)) == told


@pytest.mark.parametrize("content", [b"a,b\nA,\nB,\n", b'a,b\n"A,x",\n', b"a,b\nA,\n\n,\nB,\n"])
def test_a_last_cell_may_be_empty(tmp_path: Path, content: bytes) -> None:
    text = read_text_file(written(tmp_path, content))
    assert cells_of(text)["b"].null_count() == cells_of(text).height
