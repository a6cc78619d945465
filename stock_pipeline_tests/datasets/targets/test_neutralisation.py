"""A column freed from what the exposures explain of it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.datasets.targets.neutralisation import PENALTY, neutralised
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.laws import law

DAYS = sessions(5)
EXPOSURES = ("e0", "e1", "e2")


def market(seed: int = 0, stocks: int = 40, count: int = 3, unknown: float = 0.2) -> pl.DataFrame:
    """Exposures as ranks, and a column ``v`` that follows the first two, null for a share of the rows."""
    rng = np.random.default_rng(seed)
    held = rng.random((count * stocks, 3)) - 0.5
    value = held[:, 0] - 2 * held[:, 1] + 0.3 * rng.normal(size=len(held)) + 5
    shown = pl.Series(rng.random(len(held)) >= unknown)
    frame = pl.DataFrame(
        {
            SESSION: [day for day in DAYS[:count] for _ in range(stocks)],
            SYMBOL: [f"S{i}" for i in range(stocks)] * count,
            **dict(zip(EXPOSURES, held.T.astype(np.float32), strict=True)),
            "v": value,
        }
    )
    return frame.with_columns(pl.when(shown).then("v").alias("v"))


def ridge_by_hand(v: NDArray[np.float64], held: NDArray[np.float64]) -> NDArray[np.float64]:
    """The residual of one session, from the textbook: centre, solve, subtract."""
    known = np.isfinite(v)
    centre, middle = v - v[known].mean(), held - held[known].mean(axis=0)
    inside = middle[known]
    slopes = np.linalg.solve(inside.T @ inside + PENALTY * np.eye(held.shape[1]), inside.T @ centre[known])
    return np.asarray(centre - middle @ slopes)


def test_a_neutralised_column_is_the_residual_of_a_ridge_regression_of_each_session() -> None:
    frame = market()
    found = neutralised(frame, "v", EXPOSURES)
    assert found.columns == frame.columns and found.drop("v").equals(frame.drop("v"))
    for part, done in zip(frame.partition_by(SESSION), found.partition_by(SESSION), strict=True):
        held = part.select(EXPOSURES).to_numpy().astype(np.float64)
        expected = ridge_by_hand(part["v"].fill_null(np.nan).to_numpy(), held)
        np.testing.assert_allclose(done["v"].fill_null(np.nan).to_numpy(), expected, atol=1e-12)
    assert found["v"].null_count() == frame["v"].null_count() > 0


def test_the_order_of_the_rows_and_other_sessions_make_no_difference() -> None:
    frame = market()
    order = np.random.default_rng(1).permutation(frame.height)
    found = neutralised(frame[order], "v", EXPOSURES)
    np.testing.assert_allclose(
        found["v"].fill_null(9.0).to_numpy(), neutralised(frame, "v", EXPOSURES)[order]["v"].fill_null(9.0).to_numpy(), atol=1e-12
    )
    first = frame.filter(pl.col(SESSION) == DAYS[0])
    alone, among = (neutralised(part, "v", EXPOSURES).head(first.height)["v"].fill_null(9.0) for part in (first, frame))
    np.testing.assert_allclose(alone.to_numpy(), among.to_numpy(), atol=1e-12)


@given(seed=st.integers(0, 10_000), stocks=st.integers(2, 150), unknown=st.sampled_from([0.0, 0.3]))
@law(60)
def test_what_is_left_is_uncorrelated_with_the_exposures_up_to_the_penalty(seed: int, stocks: int, unknown: float) -> None:
    """The normal equations: each exposure times the residual is the penalty times its slope; more stocks, the less of it is left."""
    frame = market(seed, stocks, 1, unknown)
    left = neutralised(frame, "v", EXPOSURES).drop_nulls("v")
    if left.is_empty():
        return
    known = frame.drop_nulls("v")
    held, residual = left.select(EXPOSURES).to_numpy().astype(np.float64), left["v"].to_numpy()
    held -= held.mean(axis=0)
    products, before = held.T @ residual, held.T @ (known["v"].to_numpy() - known["v"].mean())
    assert abs(residual.mean()) < 1e-9
    assert np.linalg.norm(products) <= np.linalg.norm(before) + 1e-9
    slopes = np.linalg.solve(held.T @ held + PENALTY * np.eye(3), before)
    np.testing.assert_allclose(products, PENALTY * slopes, atol=1e-8)


def test_hundreds_of_stocks_lose_their_exposures_and_a_handful_hardly_anything() -> None:
    def share_left(stocks: int) -> float:
        frame = market(1, stocks, 1, 0.0)
        before, after = frame["v"].to_numpy(), neutralised(frame, "v", EXPOSURES)["v"].to_numpy()
        exposure = frame["e1"].to_numpy()
        return abs(float(np.cov(exposure, after)[0, 1] / np.cov(exposure, before)[0, 1]))

    assert share_left(500) < 0.02
    assert share_left(4) > 0.3


@pytest.mark.parametrize("value", [3.0, None])
def test_one_stock_or_none_known_stays_in_the_middle(value: float | None) -> None:
    frame = pl.DataFrame(
        {SESSION: [DAYS[0]] * 2, "v": [value, None], "e0": [0.5, -0.5]}, schema={SESSION: pl.Date, "v": pl.Float64, "e0": pl.Float32}
    )
    assert neutralised(frame, "v", ["e0"])["v"].to_list() == [None if value is None else 0.0, None]


def test_without_exposures_only_the_mean_is_taken_out() -> None:
    frame = market()
    centred = frame.select((pl.col("v") - pl.col("v").mean().over(SESSION)).fill_null(9.0)).to_series().to_numpy()
    np.testing.assert_allclose(neutralised(frame, "v", ())["v"].fill_null(9.0).to_numpy(), centred, atol=1e-12)


def test_a_frame_without_rows_stays_one() -> None:
    empty = market().clear()
    assert neutralised(empty, "v", EXPOSURES).equals(empty)
