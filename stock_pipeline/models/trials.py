"""Trials: sets of parameters tried against each other on sessions that no fold tests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from inspect import signature
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import RANK_IC, TARGET
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.splits import Split, check_split
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.fitting import fit, kept_by_ranges, rows_between, score
from stock_pipeline.models.plan import Execute, Plan

TRIAL: Final = "trial"
TRIED: Final = {TRIAL: pl.Int32, "parameters": pl.String, RANK_IC: pl.Float64, "chosen": pl.Boolean}


@dataclass(frozen=True)
class Trial:
    """One set of parameters, tried on one of the inner folds."""

    number: int
    count: int  # of all sets that are tried
    split: Split
    parameters: Mapping[str, Any]

    @property
    def kept_by(self) -> tuple[date, Mapping[str, Any]]:
        """The ranges and the parameters."""
        return kept_by_ranges("trial", self.split, self.parameters)

    def name(self, plan: Plan) -> str:
        """Which trial it is."""
        return f"trial {self.number} of {self.count} on inner fold {self.split.fold} of {len(plan.inner_splits)}"

    def __call__(self, plan: Plan, panel: Panel) -> pl.DataFrame:
        """The rank IC of the scores that are used, by session: what ``rank_ic_by_session`` returns."""
        estimator = fit(plan, panel, self.parameters, self.split.train_from, self.split.train_to)
        tested = panel.samples.take(rows_between(panel.rows, self.split.test_from, self.split.test_to))
        said = score(plan, estimator, panel.rows, tested).drop_nulls(TARGET)
        return rank_ic_by_session(said, plan.entry.target.ranked_against)


def choose_parameters(plan: Plan, execute: Execute) -> tuple[dict[str, Any], pl.DataFrame]:
    """The parameters with the highest mean rank IC over the sessions that the inner folds test.

    These lie within the first fold's training range: no session that any fold tests is looked at, so the out-of-fold scores stay honest
    however many sets are tried. Scores are judged as they are used, free of the exposures. The sets are drawn at random, after the
    model's own (Bergstra and Bengio 2012).

    Args:
        plan, execute: as for ``training.train``.

    Returns:
        The parameters, by name (none for the model's own), and what was tried: trial, parameters (JSON), rank_ic (null where no session
        has one), chosen. Of several as good, the first is chosen.

    Raises:
        InputError: an inner fold lets training labels reach into its test range.
    """
    sets = list(_sets(plan.entry, plan.trials, plan.conditions.seed))
    if len(sets) < 2:
        return {}, pl.DataFrame(schema=TRIED)
    for split in plan.inner_splits:
        check_split(split, plan.label_ends)
    steps = [Trial(number, len(sets), split, tried) for number, tried in enumerate(sets, start=1) for split in plan.inner_splits]
    daily = [rows.select(pl.lit(step.number, pl.Int32).alias(TRIAL), RANK_IC) for step, rows in zip(steps, execute(steps), strict=True)]
    means = pl.concat(daily).group_by(TRIAL).agg(pl.col(RANK_IC).mean()).sort(TRIAL)
    best = int(np.argmax(means[RANK_IC].fill_null(-np.inf).to_numpy()))
    table = means.select(
        TRIAL,
        pl.Series("parameters", [json.dumps(one, sort_keys=True) for one in sets]),
        RANK_IC,
        (pl.col(TRIAL) == best + 1).alias("chosen"),
    )
    return sets[best], table


def _sets(entry: ModelEntry, trials: int, seed: int) -> Iterator[dict[str, Any]]:
    """The model's own parameters, then others drawn without repeats, at most as many as there are."""
    yield {}
    declared = signature(entry.make).parameters
    own = {name: declared[name].default for name in entry.space if name in declared}
    every = [dict(zip(entry.space, values, strict=True)) for values in product(*entry.space.values())] if entry.space else []
    others = [one for one in every if one != own]
    order = np.random.default_rng(seed).permutation(len(others))
    yield from (others[place] for place in order[: trials - 1])
