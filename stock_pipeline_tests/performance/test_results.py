"""The results of every version, against plain loops."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import spearmanr

from stock_pipeline.core.columns import BASELINE_MAE, FORWARD_RETURN, MAE, MODEL, SCORE, SESSION, SYMBOL, TARGET, TRAINING_ID, VERSION
from stock_pipeline.datasets.catalogue import TARGET_KINDS, target_kind
from stock_pipeline.performance.outcomes import KIND, session_results
from stock_pipeline.registry.tables import LIVE_RESULTS
from stock_pipeline_tests.factories.panels import sessions

STOCKS, COUNT = 12, 3
DAYS = sessions(COUNT)
RNG = np.random.default_rng(2)


def targets(unknown: int = 2) -> dict[str, pl.DataFrame]:
    """Made-up targets of each kind, null for the first stocks of each session; of the last session only the return's are known."""
    keys = {SESSION: [day for day in DAYS for _ in range(STOCKS)], SYMBOL: [f"S{i:02d}" for i in range(STOCKS)] * COUNT}
    made: dict[str, pl.DataFrame] = {}
    for kind in (kind.name for kind in TARGET_KINDS):
        drawn = pl.DataFrame({**keys, FORWARD_RETURN: RNG.normal(size=STOCKS * COUNT), TARGET: RNG.normal(size=STOCKS * COUNT)})
        unheard = pl.col(SYMBOL) < f"S{unknown:02d}" if kind == "return" else pl.col(SESSION) == DAYS[-1]
        made[kind] = drawn.with_columns(pl.when(~unheard).then(name).alias(name) for name in (FORWARD_RETURN, TARGET))
    return made


def said(model: str, version: int, kind: str) -> pl.DataFrame:
    rows = [{SESSION: day, SYMBOL: f"S{i:02d}", SCORE: float(RNG.normal())} for day in DAYS for i in range(STOCKS)]
    named = {MODEL: pl.lit(model), VERSION: pl.lit(version, pl.Int32), TRAINING_ID: pl.lit(f"{model}_{version}"), KIND: pl.lit(kind)}
    return pl.DataFrame(rows).with_columns(**named)


def by_hand(rows: pl.DataFrame, known: pl.DataFrame, kind: str) -> list[dict[str, Any]]:
    found = []
    told = {(row[SESSION], row[SYMBOL]): row for row in known.iter_rows(named=True) if row[TARGET] is not None}
    for day in DAYS:
        pairs = [
            (row[SCORE], told[key]) for row in rows.iter_rows(named=True) if (key := (row[SESSION], row[SYMBOL])) in told and key[0] == day
        ]
        if not pairs:
            continue
        scores = [score for score, _ in pairs]
        against = [outcome[target_kind(kind).ranked_against] for _, outcome in pairs]
        found.append(
            {
                MODEL: rows[MODEL][0],
                VERSION: rows[VERSION][0],
                TRAINING_ID: rows[TRAINING_ID][0],
                SESSION: day,
                "predictions": len(pairs),
                MAE: sum(abs(score - outcome[TARGET]) for score, outcome in pairs) / len(pairs),
                BASELINE_MAE: sum(abs(outcome[TARGET]) for _, outcome in pairs) / len(pairs),
                "mse": sum((score - outcome[TARGET]) ** 2 for score, outcome in pairs) / len(pairs),
                "baseline_mse": sum(outcome[TARGET] ** 2 for _, outcome in pairs) / len(pairs),
                "score_square": sum(score**2 for score, _ in pairs) / len(pairs),
                "rank_ic": spearmanr(scores, against).statistic,
                "target_ic": spearmanr(scores, [outcome[TARGET] for _, outcome in pairs]).statistic,
            }
        )
    return found


def test_every_version_is_measured_by_the_target_that_it_learnt() -> None:
    known = targets()
    parts: list[tuple[pl.DataFrame, str]] = [
        (said("direction", 1, "direction"), "direction"),
        (said("lightgbm", 1, "return"), "return"),
        (said("lightgbm", 2, "return"), "return"),
        (said("risk", 1, "volatility"), "volatility"),
    ]
    found = session_results(pl.concat(rows for rows, _ in parts).sample(fraction=1, shuffle=True, seed=1), known)
    expected = pl.DataFrame([row for rows, kind in parts for row in by_hand(rows, known[kind], kind)], schema=LIVE_RESULTS.dtypes)
    assert expected.height == 3 * 2 + 2 * 2
    assert_frame_equal(found, expected)


def test_the_order_of_the_rows_makes_no_difference() -> None:
    known, rows = targets(), said("lightgbm", 1, "return")
    shuffled = session_results(rows.reverse(), {"return": known["return"].sample(fraction=1, shuffle=True, seed=3)})
    assert_frame_equal(shuffled, session_results(rows, known), check_exact=True)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_rank_is_one_the_table_takes(sign: int) -> None:
    known = targets()
    rows = said("lightgbm", 1, "return").drop(SCORE).join(known["return"], on=[SESSION, SYMBOL])
    found = session_results(rows.with_columns((sign * pl.col(FORWARD_RETURN)).alias(SCORE)).drop(FORWARD_RETURN, TARGET), known)
    assert LIVE_RESULTS.validate(found)["rank_ic"].to_list() == pytest.approx([sign] * COUNT)
    assert found["rank_ic"].abs().max() <= 1  # type: ignore[operator]


def test_where_nothing_is_known_there_are_no_results() -> None:
    known = {kind: rows.with_columns(pl.lit(None, pl.Float64).alias(TARGET)) for kind, rows in targets().items()}
    assert_frame_equal(session_results(said("risk", 1, "volatility"), known), LIVE_RESULTS.empty())
    assert_frame_equal(session_results(said("risk", 1, "volatility").clear(), {}), LIVE_RESULTS.empty())


def test_a_session_of_two_stocks_has_an_error_and_no_rank_ic() -> None:
    found = session_results(said("lightgbm", 1, "return"), targets(unknown=STOCKS - 2))
    assert found.select("predictions", "rank_ic").rows() == [(2, None)] * COUNT
    assert found[MAE].min() > 0  # type: ignore[operator]
