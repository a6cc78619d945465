"""``stock-pipeline suggest``: every profile or one, as a table of any width, as JSON or as CSV."""

import contextlib
import csv
import io
import json
import os
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_pipeline.command_line.errors import WRONG_INPUT
from stock_pipeline.command_line.tables import show_suggestions
from stock_pipeline.portfolio.profiles import PROFILES
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import EXPECTATION
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, put
from stock_pipeline_tests.harness.invocation import invoke

DAY = date(2024, 5, 3)
HELD = {"default": 3, "conservative": 2, "aggressive": 1}
WIDTHS = (80, 120, 200)


def row(profile: str, rank: int, **values: Any) -> dict[str, Any]:
    told = {"session": DAY, "profile": profile, "rank": rank, "symbol": f"S{rank}", "name": "Berkshire Hathaway", "sector": "Financials"}
    figures = {"close": 77.73, "volatility": 0.16, "dollar_volume": 1e7, "predicted_excess_return": 0.0001, "risk_score": 0.1}
    figures |= {"excess_return_low": -0.015, "excess_return_high": 0.0162, "probability_positive": 0.5123, "round_trip_cost": 0.002}
    return told | figures | {"total_score": 0.946, "weight": 0.07, "reason": "calm"} | values


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = empty_stores(tmp_path)
    put(stores, SUGGESTED_STOCKS, [row(profile, rank) for profile, count in HELD.items() for rank in range(1, count + 1)], DAY)
    return stores


def suggest(stores: Stores, *arguments: str, **variables: str) -> Result:
    return invoke(stores.home, "suggest", *arguments, **variables)


def test_fewer_than_were_asked_for_are_counted(stores: Stores) -> None:
    told = " ".join(suggest(stores, "--top", "99").output.split())
    assert "Profile default has 3 stocks" in told and "99" in told
    assert "asked for" not in suggest(stores, "--top", "3").output
    assert "asked for" not in suggest(stores, "--top", "2").output


def test_all_stands_for_every_profile(stores: Stores) -> None:
    told = suggest(stores, "--profile", "all").output
    assert all(f"profile {profile.name}" in told for profile in PROFILES)
    rows = json.loads(suggest(stores, "--profile", "all", "--json").output)["suggestions"]
    assert {name: sum(one["profile"] == name for one in rows) for name in HELD} == HELD
    assert len(json.loads(suggest(stores, "--profile", "all", "--top", "1", "--json").output)["suggestions"]) == len(HELD)


def test_an_unknown_profile_is_told_of_those_there_are(stores: Stores) -> None:
    ended = suggest(stores, "--profile", "daring")
    assert ended.exit_code == WRONG_INPUT and ended.stderr.count("\n") == 1
    assert all(name in ended.stderr for name in ("'daring'", "default", "conservative", "aggressive", "all"))


def test_csv_has_every_column_of_the_table(stores: Stores) -> None:
    rows = list(csv.DictReader(io.StringIO(suggest(stores, "--csv", "--top", "2").output)))
    assert [(one["rank"], one["symbol"], one["close"]) for one in rows] == [("1", "S1", "77.73"), ("2", "S2", "77.73")]
    assert list(rows[0]) == list(SUGGESTED_STOCKS.column_names)


@pytest.mark.parametrize("name", [("suggest",), ("models", "list"), ("training-jobs", "list")])
def test_one_form_at_a_time_and_csv_of_every_list(name: tuple[str, ...], stores: Stores) -> None:
    both = invoke(stores.home, *name, "--json", "--csv")
    assert (both.exit_code, both.stdout) == (WRONG_INPUT, "")
    assert "--json" in both.stderr and "--csv" in both.stderr and both.stderr.count("\n") == 1
    rows = list(csv.reader(io.StringIO(invoke(stores.home, *name, "--csv").output)))
    assert len({len(one) for one in rows}) == 1 and len(rows[0]) > 5


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_are_honoured_without_a_terminal(width: int, stores: Stores) -> None:
    put(stores, SUGGESTED_STOCKS, [row("default", 1, name="N" * 90, sector="S" * 90)], DAY)
    told = suggest(stores, COLUMNS=str(width)).output
    assert 0.9 * width < max(map(len, told.splitlines())) <= width
    assert {"77.73", "+0.0100%", "-1.5%..+1.6%", "51.2%", "0.20%", "0.946", "7.0%"} <= set(told.split())


def test_what_is_predicted_stands_beside_its_interval_in_eighty_columns_and_is_explained(stores: Stores) -> None:
    told = suggest(stores, COLUMNS="80").output
    (line, *_) = (line for line in told.splitlines() if "+0.0100%" in line)
    assert "-1.5%..+1.6%" in line and "51.2%" in line
    assert "cost: of a round trip" in " ".join(told.split())
    unknown = dict.fromkeys(EXPECTATION)
    put(stores, SUGGESTED_STOCKS, [row("default", rank, **unknown) for rank in range(1, 4)], DAY)
    assert "cost: of a round trip" not in " ".join(suggest(stores, COLUMNS="80").output.split())


@pytest.mark.parametrize("columns", ["", "wide", "0", "-5", "9" * 30])
def test_a_width_that_is_none_is_passed_over(columns: str, stores: Stores) -> None:
    ended = suggest(stores, COLUMNS=columns)
    assert ended.exit_code == 0 and "77.73" in ended.output


def told_share(share: float) -> str:
    told = f"{share:+.4%}"
    return "0.0000%" if told in ("+0.0000%", "-0.0000%") else told


@pytest.mark.parametrize("tiny", [1e-19, -1e-19, 0.0])
def test_nothing_has_no_sign(tiny: float, stores: Stores) -> None:
    put(stores, SUGGESTED_STOCKS, [row("default", 1, predicted_excess_return=tiny, excess_return_low=-tiny)], DAY)
    told = suggest(stores).output.split()
    assert "0.0000%" in told and "0.0%..+1.6%" in told


def test_the_horizon_is_told_in_sessions_and_whether_a_trade_would_pay(stores: Stores) -> None:
    told = " ".join(suggest(stores).output.split())
    assert "from the next open over the next session;" in told and "No predicted excess shown here reaches the cost" in told
    put(stores, SUGGESTED_STOCKS, [row("default", 1, predicted_excess_return=0.002), row("default", 2)], DAY)
    told = " ".join(suggest(stores, STOCK_PIPELINE_LABELS__HORIZONS="5,1").output.split())
    assert "from the next open over 5 sessions;" in told and "reaches the cost" not in told


def test_one_stock_is_one_and_few_of_them_are_noted(stores: Stores) -> None:
    everyone_in(stores, pl.DataFrame({"symbol": [f"S{number}" for number in range(7)], "session": [DAY] * 7}), DAY)
    told = " ".join(suggest(stores, "--profile", "aggressive").output.split())
    assert "Profile aggressive has 1 stock, fewer than" in told and "Note: only 7 stocks are in the universe" in told


FIGURES = st.fixed_dictionaries(
    {
        "symbol": st.text(max_size=20),
        "name": st.none() | st.text(max_size=60),
        "sector": st.none() | st.text(max_size=60),
        "close": st.floats(0.01, 1e9),
        "volatility": st.floats(0.001, 50),
        "predicted_excess_return": st.none() | st.floats(-5, 5),
        "total_score": st.floats(0, 1),
        "weight": st.floats(0, 1),
    }
)


@settings(deadline=None, max_examples=50)
@given(st.lists(FIGURES, min_size=1, max_size=5), st.sampled_from(WIDTHS))
def test_no_figure_of_any_suggestion_is_cut_at_any_width(found: list[dict[str, Any]], width: int) -> None:
    rows = [row("default", rank, **values) for rank, values in enumerate(found, 1)]
    frame = pl.DataFrame(rows, schema=SUGGESTED_STOCKS.dtypes)
    output = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": str(width)}), contextlib.redirect_stdout(output):
        show_suggestions(frame, PROFILES[0], 1)
    lines = output.getvalue().splitlines()
    for rank, one in enumerate(rows, 1):
        # more than one line only where prices and names are such that 80 columns do not hold them
        told = " ".join(line for line in lines if line.split()[:1] == [str(rank)]).split()
        predicted = "-" if one["predicted_excess_return"] is None else told_share(one["predicted_excess_return"])
        figures = [f"{one['close']:,.2f}", f"{one['volatility']:.0%}", predicted, "-1.5%..+1.6%", "51.2%", "0.20%"]
        figures += [f"{one['total_score']:.3f}", f"{one['weight']:.1%}"]
        # Where there are blocks, rank and symbol stand before each.
        assert [part for part in told if part in figures and part != str(rank)][-8:] == figures
