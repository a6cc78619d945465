"""Comparisons of two versions that are made up."""

from dataclasses import replace
from typing import Any

from stock_pipeline.registry.comparison import Comparison

# Two versions with skill that move together: nothing speaks against either.
EQUAL = Comparison(
    judged_by="rank_ic",
    sessions=250,
    equal_sessions=0,
    predictions=5000,
    mae=0.25,
    champion_mae=0.25,
    baseline_mae=0.25,
    mse=0.08,
    champion_mse=0.08,
    baseline_mse=0.083,
    rank_ic=0.02,
    champion_rank_ic=0.02,
    calibration_slope=0.8,
    calibration_slope_error=0.2,
    champion_calibration_slope=0.9,
    champion_calibration_slope_error=0.2,
    skill_p_value=0.01,
    champion_skill_p_value=0.01,
    correlation=0.9,
    t_statistic=0.1,
    p_value=0.54,
)


def comparison(**figures: Any) -> Comparison:
    """A comparison of equals, but for the figures given."""
    return replace(EQUAL, **figures)
