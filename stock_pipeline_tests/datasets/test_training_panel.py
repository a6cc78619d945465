from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.training_panel import TARGET, matrix, model_inputs, training_panel

FIRST, SECOND, THIRD = date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6)


def one_session(values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {SYMBOL: [f"S{i}" for i in range(len(values))], SESSION: [FIRST] * len(values), "f": values},
        schema_overrides={"f": pl.Float64},
    )


def test_the_target_is_the_scaled_rank_of_the_forward_return() -> None:
    features = pl.DataFrame(
        {
            SYMBOL: ["A", "B", "C", "A", "B", "C", "A"],
            SESSION: [FIRST] * 3 + [SECOND] * 3 + [THIRD],
            "f": [1.0] * 7,
            "unused": [0.0] * 7,
        }
    )
    labels = features.select(SYMBOL, SESSION).with_columns(pl.Series(FORWARD_RETURN, [0.03, -0.01, 0.0, 0.01, 0.01, None, 0.5]))
    panel = training_panel(features, labels, ["f"])
    assert panel.columns == [SESSION, SYMBOL, "f", FORWARD_RETURN, TARGET]
    assert panel.select(SYMBOL, TARGET).rows() == [("A", 0.5), ("B", -0.5), ("C", 0.0), ("A", 0.0), ("B", 0.0), ("A", 0.0)]


def test_rows_without_features_are_left_out_and_order_does_not_matter() -> None:
    features = one_session([1.0, 2.0, 3.0])
    labels = pl.DataFrame({SYMBOL: ["S9", "S2", "S0"], SESSION: [FIRST] * 3, FORWARD_RETURN: [0.1, 0.2, 0.3]})
    panel = training_panel(features, labels, ["f"])
    assert panel[SYMBOL].to_list() == ["S0", "S2"]
    assert_frame_equal(panel, training_panel(features.reverse(), labels.reverse(), ["f"]))


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


def test_the_matrix_keeps_the_order_of_rows_and_names() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    x = matrix(frame, ["b", "a"])
    assert x.dtype == np.float32 and x.flags.c_contiguous
    assert x.tolist() == [[3.0, 1.0], [4.0, 2.0]]


def test_the_matrix_refuses_what_is_not_finite_by_name() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [None, 4.0], "c": [float("inf"), 0.0]})
    with pytest.raises(ValueError, match="features b, c hold"):
        matrix(frame, ["a", "b", "c"])


def test_what_has_bounds_is_scaled_between_them_and_not_ranked() -> None:
    frame = one_session([-1.0, 0.0, 0.5, 1.0, None, float("nan"), 3.0])
    assert model_inputs(frame, ["f"], {"f": (-1.0, 1.0)})["f"].to_list() == [-0.5, 0.0, 0.25, 0.5, 0.0, 0.0, 0.5]
