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

from stock_pipeline.core.columns import FORWARD_RETURN, RANK_IC, SCORE, SESSION, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.plan import Execute, Plan

TRIAL: Final = "trial"
TRIED: Final = {TRIAL: pl.Int32, "parameters": pl.String, RANK_IC: pl.Float64, "chosen": pl.Boolean}
VALIDATION_SHARE: Final = 1 / 3
FEWEST_SESSIONS: Final = 10


@dataclass(frozen=True)
class Trial:
    """One set of parameters, tried on the last third of the first fold's training range."""

    number: int
    count: int  # of all sets that are tried
    parameters: Mapping[str, Any]

    def name(self, plan: Plan) -> str:  # noqa: ARG002
        """Which trial it is."""
        return f"trial {self.number} of {self.count}"

    def __call__(self, plan: Plan, panel: Panel) -> float:
        """The mean rank IC; -1 where there is none.

        Raises:
            InputError: the first fold's training range is too short to hold sessions back.
        """
        fits, validates = _ranges(panel.rows, plan.splits[0], plan.label_ends)
        estimator = plan.entry.make(plan.conditions_of_a_fit, **self.parameters)
        estimator.fit(panel.samples.take(fits), panel.rows[TARGET].filter(fits).to_numpy())
        rows = panel.rows.filter(validates).select(SESSION, FORWARD_RETURN, TARGET)
        scores = rows.with_columns(pl.Series(SCORE, estimator.predict(panel.samples.take(validates))))
        mean = rank_ic_by_session(scores, plan.entry.target.ranked_against)[RANK_IC].mean()
        return float(mean) if isinstance(mean, float) else -1.0


def choose_parameters(plan: Plan, execute: Execute) -> tuple[dict[str, Any], pl.DataFrame]:
    """The parameters with the highest rank IC on the last third of the first fold's training range.

    Every set learns from the sessions before that third whose labels are known by then. No session that any fold tests is
    looked at, so the out-of-fold scores stay honest however many sets are tried. The sets are drawn at random, after the
    model's own (Bergstra and Bengio 2012).

    Args:
        plan, execute: as for ``training.train``.

    Returns:
        The parameters, by name (none for the model's own), and what was tried: trial, parameters (JSON), rank_ic, chosen.

    Raises:
        InputError: the first fold's training range is too short to hold sessions back.
    """
    sets = list(_sets(plan.entry, plan.trials, plan.conditions.seed))
    if len(sets) < 2:
        return {}, pl.DataFrame(schema=TRIED)
    found = execute([Trial(number, len(sets), parameters) for number, parameters in enumerate(sets, start=1)])
    best = int(np.argmax(found))
    tried = {TRIAL: range(1, len(sets) + 1), "parameters": [json.dumps(one, sort_keys=True) for one in sets], RANK_IC: found}
    table = pl.DataFrame(tried, schema={name: kind for name, kind in TRIED.items() if name != "chosen"})
    return sets[best], table.with_columns((pl.col(TRIAL) == best + 1).alias("chosen"))


def _sets(entry: ModelEntry, trials: int, seed: int) -> Iterator[dict[str, Any]]:
    """The model's own parameters, then others drawn without repeats, at most as many as there are."""
    yield {}
    declared = signature(entry.make).parameters
    own = {name: declared[name].default for name in entry.space if name in declared}
    every = [dict(zip(entry.space, values, strict=True)) for values in product(*entry.space.values())] if entry.space else []
    others = [one for one in every if one != own]
    order = np.random.default_rng(seed).permutation(len(others))
    yield from (others[place] for place in order[: trials - 1])


def _ranges(rows: pl.DataFrame, fold: Split, label_ends: Mapping[date, date]) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    """Which rows a trial learns from and which it is scored on."""
    within = rows.filter(pl.col(SESSION).is_between(fold.train_from, fold.train_to))[SESSION].unique().sort().to_list()
    held_back = within[len(within) - int(len(within) * VALIDATION_SHARE) :]
    learned = [day for day in within if held_back and day < held_back[0] and label_ends[day] < held_back[0]]
    if len(held_back) < FEWEST_SESSIONS or len(learned) < FEWEST_SESSIONS:
        raise InputError(
            f"models.tuning_trials needs {FEWEST_SESSIONS} sessions to learn from and as many to hold back, but the first fold trains on "
            f"{len(within)} in all; raise datasets.minimum_train_sessions, or set models.tuning_trials to 1"
        )
    known = pl.col(TARGET).is_not_null()
    ranges = [rows.select(known & pl.col(SESSION).is_between(days[0], days[-1])).to_series().to_numpy() for days in (learned, held_back)]
    return ranges[0], ranges[1]
