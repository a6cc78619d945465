from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.core.errors import InputError
from stock_pipeline.drift.catalogue import STATISTICS
from stock_pipeline.drift.feature_drift import feature_drift, robust_z_scores, windows
from stock_pipeline.drift.severity import at_least
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline_tests.factories.panels import sessions

STOCKS = 60
DAYS = sessions(60)
NAMES = [statistic.name for statistic in STATISTICS]


def panel(seed: int = 0) -> pl.DataFrame:
    """Features that follow the market; in the last 20 sessions ``torn`` lifts a third of the stocks, ``calm`` none."""
    rng = np.random.default_rng(seed)
    market = np.repeat(np.cumsum(rng.normal(0, 2, len(DAYS))), STOCKS)
    spread = np.repeat(np.exp(np.cumsum(rng.normal(0, 0.2, len(DAYS)))), STOCKS)
    own = rng.normal(size=(2, len(DAYS) * STOCKS))
    torn = np.where((np.arange(len(DAYS)) >= 40)[:, None] & (np.arange(STOCKS) < 20)[None, :], 4.0, 0.0).ravel()
    return pl.DataFrame(
        {
            "session": [day for day in DAYS for _ in range(STOCKS)],
            "symbol": [f"S{i:02d}" for i in range(STOCKS)] * len(DAYS),
            "calm": market + spread * own[0],
            "torn": market + spread * (own[1] + torn),
            "market": market,
        }
    )


def drift(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    reference, current = windows(DAYS)
    return feature_drift(
        frame.filter(pl.col("session").is_in(reference)),
        frame.filter(pl.col("session").is_in(current)),
        names,
        DAYS[-1],
        STATISTICS,
    )


def test_windows() -> None:
    reference, current = windows([*DAYS[::-1], DAYS[0]], current=5)
    assert (reference, current) == (DAYS[:-5], DAYS[-5:])
    assert windows(DAYS[:3]) == ([], DAYS[:3])
    with pytest.raises(InputError, match="0 sessions"):
        windows(DAYS, current=0)


@pytest.mark.parametrize(("side", "lost"), [("neither", 0), ("reference", 1), ("current", 1)])
def test_two_hundred_and_fifty_values_on_either_side_are_enough_and_one_fewer_is_not(side: str, lost: int) -> None:
    rng = np.random.default_rng(4)
    both = {}
    for name, days in (("reference", DAYS[:10]), ("current", DAYS[10:20])):
        rows = pl.DataFrame({"session": [day for day in days for _ in range(25)], "one": rng.normal(size=250), "two": rng.normal(size=250)})
        first = pl.int_range(pl.len()) == 0
        both[name] = rows.with_columns(pl.when(~first | (name != side)).then("one").alias("one"))
    found = feature_drift(both["reference"], both["current"], ["one", "two"], DAYS[19], STATISTICS)
    judged = found.group_by("feature", maintain_order=True).agg(pl.col("value").is_not_null().all()).rows()
    assert judged == [("one", lost == 0), ("two", True)]
    assert found.select(f"{name}_rows" for name in both).row(0) == tuple(250 - (lost if name == side else 0) for name in both)


def test_a_market_move_is_no_drift_but_a_torn_cross_section_is() -> None:
    found = drift(panel(), ["calm", "torn"])
    assert_frame_equal(FEATURE_DRIFT.validate(found), found)
    flagged = {(row["feature"], row["statistic"]): at_least(row["severity"], "MEDIUM") for row in found.iter_rows(named=True)}
    assert flagged == {(feature, name): feature == "torn" for feature in ("calm", "torn") for name in NAMES}
    assert found.filter(feature="calm")["severity"].unique().to_list() == ["NONE"]


def test_what_was_compared_is_told() -> None:
    row = drift(panel(), ["calm"]).row(0, named=True)
    assert (row["as_of"], row["reference_from"], row["reference_to"]) == (DAYS[59], DAYS[0], DAYS[39])
    assert (row["current_from"], row["current_to"]) == (DAYS[40], DAYS[59])
    assert (row["reference_rows"], row["current_rows"]) == (40 * STOCKS, 20 * STOCKS)


def test_only_the_kolmogorov_smirnov_statistic_has_a_p_value() -> None:
    found = drift(panel(), ["torn"])
    assert dict(found.select("statistic", pl.col("p_value").is_null()).rows()) == {name: name != "ks" for name in NAMES}


def test_too_few_rows_are_not_judged() -> None:
    few = panel().filter((pl.col("session") < DAYS[40]) | (pl.col("symbol") < "S12"))
    assert few.filter(pl.col("session") >= DAYS[40]).height == 240
    found = drift(few, ["torn"])
    assert found["value"].null_count() == found["p_value"].null_count() == len(NAMES)
    assert found["severity"].unique().to_list() == ["NONE"]
    assert found["current_rows"].to_list() == [240] * len(NAMES)
    enough = panel().filter((pl.col("session") < DAYS[40]) | (pl.col("symbol") < "S13"))
    assert drift(enough, ["torn"])["value"].null_count() == 0


def test_a_feature_of_the_market_alone_is_not_judged() -> None:
    found = drift(panel(), ["market"])
    assert found.select("value", "severity", "reference_rows", "current_rows").unique().rows() == [(None, "NONE", 0, 0)]


def test_an_empty_window_is_no_error() -> None:
    found = feature_drift(panel().head(0), panel(), ["calm"], DAYS[-1], STATISTICS)
    assert_frame_equal(FEATURE_DRIFT.validate(found), found)
    assert found["reference_from"].null_count() == found["value"].null_count() == len(NAMES)


def test_robust_z_scores_by_hand() -> None:
    day, later = DAYS[0], DAYS[1]
    frame = pl.DataFrame({"session": [day] * 5 + [later] * 3, "x": [1.0, 2.0, 3.0, 7.0, None, 5.0, 5.0, 8.0]})
    # The first session's median is 2.5 and the deviations 1.5, 0.5, 0.5, 4.5 have the median 1; the second has no scale.
    assert robust_z_scores(frame, "x") == pytest.approx(np.array([-1.5, -0.5, 0.5, 4.5]) / 1.4826)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-50, 50), st.floats(0.1, 10))
def test_each_sessions_level_and_scale_are_of_no_account(seed: int, level: float, scale: float) -> None:
    frame = panel(seed).select("session", x="calm").head(10 * STOCKS)
    moved = frame.with_columns(pl.when(pl.col("session") >= DAYS[5]).then(pl.col("x") * scale + level).otherwise(pl.col("x")).alias("x"))
    assert robust_z_scores(moved, "x") == pytest.approx(robust_z_scores(frame, "x"), rel=1e-6, abs=1e-6)


def test_quiet_data_seldom_alarms() -> None:
    found = pl.concat([drift(panel(seed), ["calm"]) for seed in range(20)])
    assert found.filter(pl.col("severity") != "NONE").is_empty()


def test_infinities_and_nan_are_left_out() -> None:
    frame = pl.DataFrame({"session": [date(2020, 1, 2)] * 6, "x": [1.0, 2.0, 3.0, 7.0, float("inf"), float("nan")]})
    assert robust_z_scores(frame, "x").size == 4
