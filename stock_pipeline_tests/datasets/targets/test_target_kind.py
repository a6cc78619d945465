"""Every kind of target: what it is made of, what is made of it, and what its scores mean."""

import math
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import (
    DIRECTION,
    FORWARD_RETURN,
    FORWARD_VOLATILITY,
    PAST_VOLATILITY,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    RETURN_SCALE,
    SCORE,
    SESSION,
    TARGET,
    VOLATILITY_EXPONENT,
    VOLATILITY_FACTOR,
)
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.catalogue import DIRECTION_KIND, RETURN_KIND, TARGET_KINDS, VOLATILITY_KIND, TargetKind, target_kind
from stock_pipeline.datasets.targets.neutralisation import neutralised
from stock_pipeline.features.catalogue import EXPOSURES
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.training_panels import exposed

DAYS = sessions(5)
OWN = ("e0", "e1")

every_kind = pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)


def market(stocks: int = 300, unknown: float = 0.2) -> pl.DataFrame:
    """Two exposures as ranks and every outcome over three sessions; the returns follow the exposures, a share of them is not known."""
    rng = np.random.default_rng(0)
    count = 3 * stocks
    held = rng.random((count, 2)) - 0.5
    returns = 0.01 * (held[:, 0] - 2 * held[:, 1] + 0.3 * rng.normal(size=count))
    outcomes = {
        FORWARD_RETURN: returns,
        DIRECTION: (returns > 0).astype(np.int8),
        FORWARD_VOLATILITY: rng.uniform(0.01, 0.05, count),
        PAST_VOLATILITY: rng.uniform(0.01, 0.05, count),
    }
    known = pl.Series(rng.random(count) >= unknown)
    frame = pl.DataFrame(
        {SESSION: [day for day in DAYS[:3] for _ in range(stocks)], **dict(zip(OWN, held.T.astype(np.float32), strict=True)), **outcomes}
    )
    return frame.with_columns(pl.when(known).then(name).alias(name) for name in (FORWARD_RETURN, DIRECTION, FORWARD_VOLATILITY))


@every_kind
def test_a_target_is_made_of_the_outcomes_that_its_kind_names_and_null_where_they_are(kind: TargetKind) -> None:
    panel = market().select(SESSION, *OWN, *kind.outcomes)
    neutralised_scores = exposed(kind, OWN if kind.exposures else ())
    found = neutralised_scores.with_target(panel)
    assert found.columns == [*panel.columns, TARGET] and found.drop(TARGET).equals(panel)
    assert found.schema[TARGET] == pl.Float64
    assert found[TARGET].is_null().equals(panel[kind.outcomes[0]].is_null().alias(TARGET))
    assert 0 < found[TARGET].null_count() < panel.height
    assert neutralised_scores.with_target(panel.clear()).schema == found.schema


@every_kind
def test_a_kind_says_one_column_of_a_prediction_and_ranks_against_one_that_its_panel_has(kind: TargetKind) -> None:
    rows = pl.DataFrame({SESSION: [DAYS[0]] * 2, SCORE: [0.1, -0.1], PAST_VOLATILITY: [0.02, None]})
    said = rows.with_columns(pl.lit(0.5).alias(name) for name in kind.calibration).select(kind.predict.alias(kind.prediction))
    assert said.schema == {kind.prediction: pl.Float64}
    assert kind.prediction in (PREDICTED_EXCESS_RETURN, PREDICTED_VOLATILITY, PROBABILITY_UP)
    assert kind.ranked_against in (FORWARD_RETURN, TARGET)
    assert kind.ranks_stocks or not kind.is_stacked


@every_kind
def test_a_kind_is_found_by_the_name_that_is_stored_and_can_be_sent_to_another_process(kind: TargetKind) -> None:
    assert target_kind(kind.name) is kind
    assert ForkingPickler.loads(ForkingPickler.dumps(kind)) == kind


def test_stored_names_stay_and_another_is_refused() -> None:
    assert [kind.name for kind in TARGET_KINDS] == ["return", "direction", "volatility"]
    with pytest.raises(InputError, match="kind of target 'drawdown' is not known; choose one of return, direction, volatility"):
        target_kind("drawdown")


def test_what_each_kind_says_of_itself() -> None:
    said = {kind.name: (kind.ranked_against, kind.ranks_stocks, kind.is_stacked, kind.betrays_leaks, kind.charts) for kind in TARGET_KINDS}
    assert said == {
        "return": (FORWARD_RETURN, True, True, True, ()),
        "direction": (FORWARD_RETURN, True, False, True, ("calibration",)),
        "volatility": (TARGET, False, False, False, ()),
    }
    assert {kind.name: kind.exposures for kind in TARGET_KINDS} == {"return": EXPOSURES, "direction": (), "volatility": ()}


def test_the_target_of_the_return_is_its_rank_freed_of_exposures_and_ranked_again() -> None:
    panel = market()
    found = exposed(RETURN_KIND, OWN).with_target(panel)
    by_hand = neutralised(panel.with_columns(session_rank(FORWARD_RETURN).alias("r")), "r", OWN).with_columns(session_rank("r"))
    assert found[TARGET].equals(by_hand["r"].alias(TARGET), null_equal=True)
    by_session = found.group_by(SESSION).agg(pl.col(TARGET).min().alias("low"), pl.col(TARGET).max().alias("high"))
    assert by_session.select("low", "high").unique().rows() == [(-0.5, 0.5)]
    kept, raw = (float(np.corrcoef(*found.drop_nulls(TARGET).select(name, "e1").to_numpy().T)[0, 1]) for name in (TARGET, FORWARD_RETURN))
    assert abs(kept) < 0.1 < 0.6 < abs(raw)


@pytest.mark.parametrize("exposures", [(), ("e0",)])
def test_a_forward_return_among_too_few_others_keeps_its_rank(exposures: tuple[str, ...]) -> None:
    panel = pl.DataFrame(
        {SESSION: [DAYS[0]] * 3 + [DAYS[1]] * 3 + [DAYS[2]], FORWARD_RETURN: [0.03, -0.01, 0.0, 0.01, 0.01, None, 0.5], "e0": [0.0] * 7}
    )
    found = replace(RETURN_KIND, exposures=exposures).with_target(panel)
    assert found[TARGET].to_list() == [0.5, -0.5, 0.0, 0.0, 0.0, None, 0.0]


def test_the_target_of_the_direction_is_a_half_up_or_down() -> None:
    panel = pl.DataFrame({SESSION: [DAYS[0]] * 3, DIRECTION: pl.Series([1, 0, None], dtype=pl.Int8)})
    assert DIRECTION_KIND.with_target(panel)[TARGET].to_list() == [0.5, -0.5, None]


def test_the_target_of_the_volatility_is_the_log_of_ahead_over_past() -> None:
    panel = pl.DataFrame(
        {
            SESSION: [DAYS[0]] * 6,
            FORWARD_VOLATILITY: [0.02, 0.01, 0.0, 0.02, None, 0.02],
            PAST_VOLATILITY: [0.01, 0.01, 0.01, 0.0, 0.01, None],
        }
    )
    assert VOLATILITY_KIND.with_target(panel)[TARGET].to_list() == [pytest.approx(math.log(2)), 0.0, None, None, None, None]


def test_a_score_becomes_a_return_a_probability_or_a_volatility() -> None:
    rows = pl.DataFrame({SESSION: [*DAYS[:1] * 2, DAYS[1]], SCORE: [0.1, 0.3, 0.1], PAST_VOLATILITY: [0.02, None, 0.03]})
    found = {RETURN_SCALE: 0.5, VOLATILITY_FACTOR: 0.8, VOLATILITY_EXPONENT: 0.9}
    said = rows.with_columns(pl.lit(value).alias(name) for name, value in found.items())
    said = said.select(kind.predict.alias(kind.prediction) for kind in TARGET_KINDS)
    # Over the mean of its session's stocks, of which one alone is its own mean.
    assert said[PREDICTED_EXCESS_RETURN].to_list() == pytest.approx([-0.05, 0.05, 0.0])
    assert said[PROBABILITY_UP].to_list() == [0.6, 0.8, 0.6]
    ahead = [pytest.approx(0.8 * (past * math.exp(0.1)) ** 0.9) for past in (0.02, 0.03)]
    assert said[PREDICTED_VOLATILITY].to_list() == [ahead[0], None, ahead[1]]


def test_where_no_calibration_is_known_no_return_is_said_and_the_volatility_as_the_score_has_it() -> None:
    rows = pl.DataFrame({SESSION: [DAYS[0]], SCORE: [0.1], PAST_VOLATILITY: [0.02]})
    unknown = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for kind in TARGET_KINDS for name in kind.calibration)
    said = unknown.select(kind.predict.alias(kind.prediction) for kind in TARGET_KINDS)
    assert said.row(0, named=True) == {
        PREDICTED_EXCESS_RETURN: None,
        PROBABILITY_UP: 0.6,
        PREDICTED_VOLATILITY: pytest.approx(0.02 * math.exp(0.1)),
    }
