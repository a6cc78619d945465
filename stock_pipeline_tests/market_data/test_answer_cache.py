import signal
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.core.layout import Layout
from stock_pipeline.market_data.answer_cache import Landing
from stock_pipeline.market_data.sources.errors import NoDataError
from stock_pipeline.market_data.sources.source import FUNDAMENTALS, INSTRUMENTS, Answer, MarketData, Request
from stock_pipeline_tests.factories.market_rows import DAYS
from stock_pipeline_tests.factories.scripted_source import (
    ANSWERED,
    ASKED,
    STOPPED,
    SYMBOLS,
    ScriptedSource,
    five_symbols,
    other_process,
    requests,
    told,
)
from stock_pipeline_tests.harness.store_processes import heard

NIGHT = DAYS[2]
HOSTILE = ["../x", "../../x", "/etc/x", "A'; DROP TABLE", ".", "", "con", "x\0y", "x\\..\\y", "📈", "é", "e\u0301", "X" * 300]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "data", NIGHT)


def same(answers: Iterable[Answer], others: Iterable[Answer]) -> bool:
    """Whether both gave the same rows in the same columns."""
    names = [field.name for field in fields(MarketData)]
    sides = [[getattr(answer.data, name) for answer in side for name in names] for side in (answers, others)]
    return [frame.schema for frame in sides[0]] == [frame.schema for frame in sides[1]] and all(
        one.equals(other) for one, other in zip(*sides, strict=True)
    )


def landed(landing: Landing) -> list[Path]:
    return sorted(landing.folder.iterdir()) if landing.folder.is_dir() else []


def files(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.is_file()}


def test_an_answer_lands_as_it_is_and_is_not_asked_for_again(landing: Landing) -> None:
    full = replace(
        told("A", [1.0, 2.0, 3.0], ("A", DAYS[1], "split", 2.0)),
        instruments=pl.DataFrame([{SYMBOL: "A", "name": "Société"}], schema=INSTRUMENTS),
        fundamentals=pl.DataFrame([("A", DAYS[0], "year", "revenue", 1e9, None, None)], schema=FUNDAMENTALS, orient="row"),
    )
    source = ScriptedSource({"A": full})
    wanted = requests("A", about=True)
    first = list(landing.ask(source, wanted))
    assert same(first, [Answer(full)])
    again = list(Landing(landing.home, NIGHT).ask(source, wanted))
    assert same(again, first)
    assert source.asked == wanted


def test_each_answer_has_landed_before_it_is_given(landing: Landing) -> None:
    answers = landing.ask(five_symbols(), requests(SYMBOLS))
    for count in range(1, len(SYMBOLS) + 1):
        next(answers)
        assert len(landed(landing)) == count


def test_another_question_another_source_or_another_night_is_asked_anew(landing: Landing) -> None:
    source = ScriptedSource({symbol: told(symbol, [1.0, 2.0, 3.0, 4.0]) for symbol in "AB"})
    wanted = requests("A")[0]
    list(landing.ask(source, [wanted]))
    others = [replace(wanted, about=True), replace(wanted, first=DAYS[1]), replace(wanted, last=DAYS[3]), replace(wanted, symbol="B")]
    list(landing.ask(source, others))
    list(landing.ask(replace(source, name="ibkr"), [wanted]))
    list(Landing(landing.home, DAYS[3]).ask(source, [wanted]))
    assert source.asked == [wanted, *others, wanted, wanted]


def test_a_failed_a_stale_and_an_empty_answer_are_asked_for_again(landing: Landing) -> None:
    half = Answer(told("C", [1.0, 2.0, 3.0]), {"C": NoDataError("and yet bars")})
    source = ScriptedSource(
        {"A": NoDataError("none"), "B": told("B", [1.0, 2.0]), "C": half, "D": MarketData(), "E": told("E", [1.0, 2.0, 3.0])}
    )
    first = list(landing.ask(source, requests(SYMBOLS)))
    assert len(landed(landing)) == 1
    second = list(landing.ask(source, requests(SYMBOLS)))
    assert source.symbols_asked == [*SYMBOLS, "A", "B", "C", "D"]
    # What has landed comes first, the rest in the order in which it is asked.
    assert same(second, [first[4], *first[:4]])
    assert [list(answer.failures) for answer in second] == [[], ["A"], [], ["C"], []]


def test_an_archive_is_read_and_never_lands(landing: Landing) -> None:
    archive = replace(five_symbols(), is_archive=True)
    for _ in range(2):
        assert len(list(landing.ask(archive, requests(SYMBOLS)))) == len(SYMBOLS)
    assert archive.symbols_asked == [*SYMBOLS, *SYMBOLS]
    assert not landing.home.exists()


def test_no_requests_touch_nothing(landing: Landing) -> None:
    assert list(landing.ask(five_symbols(), [])) == []
    assert not landing.home.exists()


@pytest.mark.parametrize(
    ("committed", "kept"),
    [
        (None, [DAYS[2], DAYS[3]]),
        (DAYS[1], [DAYS[2], DAYS[3]]),
        (DAYS[2], [DAYS[3]]),
        (DAYS[3], []),
    ],
)
def test_nights_that_are_in_the_store_and_those_before_this_one_are_forgotten(
    landing: Landing, committed: date | None, kept: list[date]
) -> None:
    for night in DAYS[:4]:
        list(Landing(landing.home, night).ask(five_symbols(), requests(SYMBOLS)))
    (landing.home / "market.duckdb").touch()
    landing.clear(committed)
    root = Layout(landing.home).answers
    assert sorted(folder.name for folder in root.iterdir()) == [night.isoformat() for night in kept] if kept else not root.exists()
    assert (landing.home / "market.duckdb").exists()
    landing.clear(DAYS[8])
    assert not root.exists()
    landing.clear(None)  # of nothing at all


def test_a_symbol_never_chooses_a_path(landing: Landing) -> None:
    source = ScriptedSource({symbol: told(symbol, [1.0, 2.0, 3.0]) for symbol in HOSTILE})
    asked = [Request(symbol, DAYS[0], NIGHT) for symbol in HOSTILE]
    answers = list(landing.ask(source, asked))
    assert {path.parent.parent for path in files(landing.home.parent)} == {landing.folder}
    assert len(landed(landing)) == len(asked)
    assert all(len(path.name) == 32 and path.name.isalnum() and path.name.isascii() for path in landed(landing))
    again = list(landing.ask(source, asked))
    assert same(again, answers)
    assert [answer.data.bars[SYMBOL][0] for answer in again] == HOSTILE
    assert source.asked == asked


def test_the_parts_of_a_question_do_not_run_into_each_other(landing: Landing) -> None:
    source = ScriptedSource({symbol: told(symbol, [1.0, 2.0, 3.0]) for symbol in ("A", "rA")})
    list(landing.ask(replace(source, name="ibkr"), requests(["A"])))
    list(landing.ask(replace(source, name="ibk"), requests(["rA"])))
    assert source.symbols_asked == ["A", "rA"]


def test_who_is_killed_while_an_answer_lands_asks_again_for_that_one_and_the_rest_alone(landing: Landing) -> None:
    with other_process(landing.home, stop_at="C") as process:
        lines = list(iter(lambda: heard(process), STOPPED))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert lines == [f"{ASKED} A", f"{ANSWERED} A", f"{ASKED} B", f"{ANSWERED} B", f"{ASKED} C"]
    left = landed(landing)
    assert sorted(len(files(folder)) for folder in left) == [1, 4, 4]
    with other_process(landing.home) as process:
        lines = list(iter(lambda: heard(process), ""))
        assert process.wait() == 0
    assert lines == [
        f"{ANSWERED} A",
        f"{ANSWERED} B",
        *(f"{said} {symbol}" for symbol in "CDE" for said in (ASKED, ANSWERED)),
    ]
    nobody = ScriptedSource({})
    assert same(landing.ask(nobody, requests(SYMBOLS)), five_symbols().fetch(requests(SYMBOLS)))
    assert nobody.asked == []
    landing.clear(NIGHT)
    assert not (Layout(landing.home).answers).exists()


def test_a_home_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    source, wanted = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}), requests("A")
    landing = Landing(tmp_path / "da[t]a", NIGHT)
    assert same(landing.ask(source, wanted), landing.ask(source, wanted))
    assert source.asked == wanted


def test_what_another_run_has_landed_meanwhile_stays(landing: Landing) -> None:
    source, wanted = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}), requests("A")
    answers = landing.ask(source, wanted)
    source.on_request = lambda _symbol: list(Landing(landing.home, NIGHT).ask(ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}), wanted))
    assert same(answers, [Answer(told("A", [1.0, 2.0, 3.0]))])
    assert len(landed(landing)) == 1


def test_a_stray_file_is_left_alone(landing: Landing) -> None:
    (Layout(landing.home).answers).mkdir(parents=True)
    stray = Layout(landing.home).answers / ".DS_Store"
    stray.touch()
    landing.clear(None)
    assert stray.exists()


def test_half_a_character_is_a_symbol_like_any_other(landing: Landing) -> None:
    odd = "A\ud800"
    assert [answer.failures.keys() for answer in landing.ask(ScriptedSource({}), requests([odd]))] == [{odd}]
