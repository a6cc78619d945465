from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stock_pipeline.backtest.checks import (
    BENCHMARK,
    BOOK,
    DESCRIPTIONS,
    FEWEST_SESSIONS,
    VOLATILITY,
    impossible_results,
)
from stock_pipeline.backtest.tables import BENCHMARK_RETURN, DAILY_RETURNS, GROSS_RETURN
from stock_pipeline.core.columns import MODEL, SESSION
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make

DAYS = sessions(60)


def daily(count: int = 60, **changed: dict[int, float]) -> pl.DataFrame:
    """Returns of two models; ``changed`` are those of the first, by place, of the book or the benchmark."""
    rng = np.random.default_rng(4)
    calm = {name: np.clip(rng.normal(0, 0.01, (2, 60)), -0.2, 0.2) for name in (GROSS_RETURN, BENCHMARK_RETURN)}
    for name, values in changed.items():
        for place, value in values.items():
            calm[name][0, place] = value
    parts = [
        pl.DataFrame({MODEL: [model] * count, SESSION: DAYS[:count], **{name: values[at, :count] for name, values in calm.items()}})
        for at, model in enumerate(("lightgbm", "stack"))
    ]
    return pl.concat(parts)


def failing(frame: pl.DataFrame) -> set[str]:
    return {name for name, rows in impossible_results(frame).items() if rows.height}


def test_results_that_may_be_pass() -> None:
    assert failing(daily()) == set()
    assert failing(daily(gross_return={3: 0.49, 4: -0.49}, benchmark_return={5: -0.226})) == set()
    assert set(impossible_results(daily())) == set(DESCRIPTIONS)
    assert failing(daily().clear()) == set()


def test_a_return_that_cannot_be_fails_its_own_check_and_is_shown() -> None:
    found = impossible_results(daily(gross_return={3: 0.51, 7: -0.6, 9: 0.5}, benchmark_return={5: 0.26}))
    assert found[BOOK].rows() == [("lightgbm", DAYS[7], -0.6), ("lightgbm", DAYS[3], 0.51)]
    assert found[BENCHMARK].rows() == [("lightgbm", DAYS[5], 0.26)]
    assert found[VOLATILITY].is_empty()


@pytest.mark.parametrize(("size", "fails"), [(0.124, False), (0.128, True)])
def test_a_volatility_beyond_twice_the_money_a_year_fails(size: float, fails: bool) -> None:
    # Of returns of +x and -x in turn the deviation is x * sqrt(60 / 59), a year that times sqrt(252): 0.126 a session is 200 %.
    frame = daily(gross_return={place: size * (-1) ** place for place in range(60)})
    found = impossible_results(frame)[VOLATILITY]
    assert failing(frame) == ({VOLATILITY} if fails else set())
    if fails:
        ((model, series, volatility),) = found.rows()
        assert (model, series) == ("lightgbm", GROSS_RETURN)
        assert volatility == pytest.approx(size * (60 / 59) ** 0.5 * 252**0.5)


def test_few_sessions_have_no_volatility_to_judge() -> None:
    wild: dict[str, Any] = {"benchmark_return": {place: 0.2 * (-1) ** place for place in range(60)}}
    assert failing(daily(FEWEST_SESSIONS - 1, **wild)) == set()
    assert failing(daily(FEWEST_SESSIONS, **wild)) == {VOLATILITY}


def test_the_stage_judges_what_it_stored(tmp_path: Path) -> None:
    stores, settings = ingested(tmp_path, DAYS[-1]), plain_settings(tmp_path)
    rest = {"as_of": DAYS[-1], "fill": "next_open", "cost": 0.0, "net_return": 0.0, "turnover": 0.0, "holdings": 1, "unfilled": 0}
    rest |= {"equity": 1.0, "benchmark_equity": 1.0, "drawdown": 0.0}
    rows = daily(benchmark_return={2: 13_749.0}).with_columns(pl.lit(value).alias(name) for name, value in rest.items())
    put(
        stores, DAILY_RETURNS, rows.with_columns(pl.col("holdings", "unfilled").cast(pl.Int32)).select(DAILY_RETURNS.column_names), DAYS[-1]
    )
    result = make(DAILY_RETURNS, stores, settings)
    assert {name: verdict.passed for name, verdict in result.checks.items()} == {BENCHMARK: False, BOOK: True, VOLATILITY: False}
    assert not result.blocked
