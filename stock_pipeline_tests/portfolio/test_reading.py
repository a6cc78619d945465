import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.portfolio.reading import latest_suggestions
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.storage import open_stores
from stock_pipeline.universe.tables import DAILY_UNIVERSE, LOW_PRICE, TOO_FEW
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, put

DAYS = sessions(3)


def row(session: date, profile: str, rank: int, symbol: str) -> dict[str, Any]:
    return {
        "session": session,
        "profile": profile,
        "rank": rank,
        "symbol": symbol,
        "close": 10.0,
        "volatility": 0.2,
        "dollar_volume": 1e7,
        "risk_score": 0.1,
        "total_score": 0.9,
        "weight": 0.5,
        "reason": "calm",
    }


def test_the_last_session_of_the_profile_is_read_best_first(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    rows = [
        row(DAYS[0], "default", 1, "OLD"),
        row(DAYS[1], "default", 2, "AAA"),
        row(DAYS[1], "default", 1, "ZZZ"),
        row(DAYS[1], "aggressive", 1, "MMM"),
    ]
    put(stores, SUGGESTED_STOCKS, rows, DAYS[1])
    found = latest_suggestions(stores, "default", 5)
    assert found.select("session", "rank", "symbol").rows() == [(DAYS[1], 1, "ZZZ"), (DAYS[1], 2, "AAA")]
    assert found.columns == list(SUGGESTED_STOCKS.column_names)


def test_a_profile_that_the_last_session_has_nothing_for_gets_nothing_old(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    put(stores, SUGGESTED_STOCKS, [row(DAYS[0], "conservative", 1, "OLD"), row(DAYS[1], "default", 1, "AAA")], DAYS[1])
    assert latest_suggestions(stores, "conservative", 5).is_empty()


def test_before_any_suggestion_the_reader_is_told_what_to_do(tmp_path: Path) -> None:
    for stores in (open_stores(tmp_path / "nowhere"), empty_stores(tmp_path)):
        with pytest.raises(InputError, match=f"no suggestions in {stores.home} yet; run `stock-pipeline run` first"):
            latest_suggestions(stores, "default", 5)


def test_where_too_few_stocks_pass_it_is_said_instead_of_to_run_again(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    rows = [
        {"symbol": symbol, "session": DAYS[1], "status": status} for symbol, status in (("A", TOO_FEW), ("B", TOO_FEW), ("C", LOW_PRICE))
    ]
    put(stores, DAILY_UNIVERSE, rows, DAYS[1])
    why = f"yet: 2 of 3 stocks with a bar of {DAYS[1]} pass, and universe.minimum_stocks asks for 5 "
    with pytest.raises(InputError, match=re.escape(f"{why}(too_few_stocks 2, low_price 1), so that nothing is trained")):
        latest_suggestions(stores, "default", 5)
