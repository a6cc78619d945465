"""From what an estimator says to a score: a quarter of what the exposures explain of it goes, session by session."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SCORE, SESSION
from stock_pipeline.datasets.targets.neutralisation import neutralised
from stock_pipeline.models.scoring import SHARE, neutralised_scores, scored
from stock_pipeline_tests.factories.training_panels import panel
from stock_pipeline_tests.harness.laws import law

EXPOSURES = ("f0", "f4")


def said_of(rows: pl.DataFrame, seed: int = 0) -> np.ndarray:
    return rows["f0"].to_numpy() + 0.5 * np.random.default_rng(seed).normal(size=rows.height) + 3


def test_without_exposures_a_score_is_what_was_said() -> None:
    rows = panel(symbols=5, count=4)
    found = scored(rows, said_of(rows), ())
    assert found.columns == [*rows.columns, SCORE] and found.drop(SCORE).equals(rows)
    assert found[SCORE].to_list() == said_of(rows).tolist()
    assert scored(rows, said_of(rows).astype(np.float32), ())[SCORE].dtype == pl.Float64


@given(seed=st.integers(0, 1000), symbols=st.integers(1, 60))
@law(30)
def test_half_of_what_the_exposures_explain_is_taken_out(seed: int, symbols: int) -> None:
    rows = panel(symbols=symbols, count=3, seed=seed)
    said = said_of(rows, seed)
    neutral = neutralised(rows.with_columns(pl.Series("said", said)), "said", EXPOSURES)["said"].to_numpy()
    np.testing.assert_allclose(scored(rows, said, EXPOSURES)[SCORE].to_numpy(), (1 - SHARE) * said + SHARE * neutral, atol=1e-9)


def test_a_score_of_hundreds_of_stocks_loses_a_quarter_of_its_exposure_and_keeps_the_rest() -> None:
    rows = panel(symbols=400, count=1)
    said = said_of(rows)
    kept = scored(rows, said, EXPOSURES)[SCORE].to_numpy()
    exposure, other = rows["f0"].to_numpy(), said - rows["f0"].to_numpy()
    assert 0.74 < np.cov(exposure, kept)[0, 1] / np.cov(exposure, said)[0, 1] < 0.78
    assert np.corrcoef(other, kept)[0, 1] > np.corrcoef(other, said)[0, 1]


def test_sessions_do_not_mix_and_several_models_are_freed_at_once() -> None:
    rows = panel(symbols=20, count=3)
    said = np.column_stack([said_of(rows, 1), said_of(rows, 2)])
    sessions = np.repeat(np.arange(3), 20)
    both = neutralised_scores(said, rows.select(EXPOSURES).to_numpy(), sessions)
    for place in range(2):
        np.testing.assert_allclose(both[:, place], scored(rows, said[:, place], EXPOSURES)[SCORE].to_numpy(), atol=1e-12)
    first = rows.filter(pl.col(SESSION) == rows[SESSION][0])
    np.testing.assert_allclose(scored(first, said[:20, 0], EXPOSURES)[SCORE].to_numpy(), both[:20, 0], atol=1e-12)
