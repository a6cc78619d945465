from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.reading import model_inputs, training_panel

FIRST, SECOND = date(2020, 1, 2), date(2020, 1, 3)


def one_session(values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {SYMBOL: [f"S{i}" for i in range(len(values))], SESSION: [FIRST] * len(values), "f": values},
        schema_overrides={"f": pl.Float64},
    )


def test_every_row_of_features_stays_and_gets_what_came_of_it() -> None:
    features = one_session([1.0, 2.0, 3.0]).with_columns(unused=pl.lit(0.0))
    labels = pl.DataFrame({SYMBOL: ["S9", "S2", "S0"], SESSION: [FIRST] * 3, FORWARD_RETURN: [0.1, 0.2, 0.3], "other": [1, 2, 3]})
    panel = training_panel(features, labels, ["f"])
    assert panel.columns == [SESSION, SYMBOL, "f", FORWARD_RETURN, "other"]
    assert panel.drop(SESSION).rows() == [("S0", 1.0, 0.3, 3), ("S1", 2.0, None, None), ("S2", 3.0, 0.2, 2)]


def test_the_panel_is_sorted_by_session_and_symbol_whatever_the_order_of_the_rows() -> None:
    features = pl.concat([one_session([1.0, 2.0]).with_columns(pl.lit(day).alias(SESSION)) for day in (SECOND, FIRST)])
    labels = features.select(SYMBOL, SESSION, pl.lit(0.1).alias(FORWARD_RETURN))
    panel = training_panel(features, labels, ["f"])
    assert panel.select(SESSION, SYMBOL).rows() == [(FIRST, "S0"), (FIRST, "S1"), (SECOND, "S0"), (SECOND, "S1")]
    assert_frame_equal(panel, training_panel(features.reverse(), labels.reverse(), ["f"]))


def test_two_outcomes_of_one_row_are_refused() -> None:
    labels = pl.DataFrame({SYMBOL: ["S0"] * 2, SESSION: [FIRST] * 2, FORWARD_RETURN: [0.1, 0.2]})
    with pytest.raises(pl.exceptions.ComputeError, match="1:1"):
        training_panel(one_session([1.0]), labels, ["f"])


def test_ranks_ignore_nulls_and_nan_and_share_ties() -> None:
    ranked = model_inputs(one_session([5.0, None, 1.0, 5.0, float("nan"), 9.0]), ["f"], {})
    assert ranked["f"].dtype == pl.Float32
    np.testing.assert_allclose(ranked["f"].to_numpy(), [0.0, 0.0, -0.5, 0.0, 0.0, 0.5], atol=1e-7)


def test_a_lone_or_missing_value_ranks_in_the_middle() -> None:
    assert model_inputs(one_session([7.0]), ["f"], {})["f"].to_list() == [0.0]
    assert model_inputs(one_session([7.0, None]), ["f"], {})["f"].to_list() == [0.0, 0.0]
    assert model_inputs(one_session([None, None]), ["f"], {})["f"].to_list() == [0.0, 0.0]


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=40), st.integers(-5000, 5000), st.integers(1, 9))
def test_a_session_wide_shift_and_scale_leave_the_ranks(values: list[int], shift: int, scale: int) -> None:
    plain = model_inputs(one_session([float(v) for v in values]), ["f"], {})["f"]
    moved = model_inputs(one_session([float(v * scale + shift) for v in values]), ["f"], {})["f"]
    assert plain.to_list() == moved.to_list()
    assert plain.min() >= -0.5 and plain.max() <= 0.5  # type: ignore[operator]
    assert abs(float(plain.to_numpy().astype(np.float64).sum())) < 1e-4


def test_other_sessions_do_not_move_a_rank() -> None:
    alone = one_session([1.0, 3.0, 2.0])
    later = alone.with_columns(pl.lit(SECOND).alias(SESSION), f=pl.col("f") * 100)
    both = model_inputs(pl.concat([alone, later]), ["f"], {})
    assert_frame_equal(both.filter(pl.col(SESSION) == FIRST), model_inputs(alone, ["f"], {}))


def test_what_has_bounds_is_scaled_between_them_and_not_ranked() -> None:
    frame = one_session([-1.0, 0.0, 0.5, 1.0, None, float("nan"), 3.0])
    assert model_inputs(frame, ["f"], {"f": (-1.0, 1.0)})["f"].to_list() == [-0.5, 0.0, 0.25, 0.5, 0.0, 0.0, 0.5]
