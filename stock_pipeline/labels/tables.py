"""The table of labels: for each horizon the return, its direction, whether it is known, and when."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, KNOWN_ON, LABEL_STATUS, SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.labels.catalogue import labelled_horizons
from stock_pipeline.settings import LabelSettings

VOLATILITY: Final = "volatility"  # stands for the horizon in the names of the forward volatility's own columns

KNOWN: Final = "known"
PENDING: Final = "pending"
NO_BAR: Final = "no_bar"
PRICE_JUMP: Final = "jump"
SUSPECT_BAR: Final = "suspect"
NO_VOLUME: Final = "no_volume"
LABEL_STATUSES: Final = (KNOWN, PENDING, NO_BAR, SUSPECT_BAR, NO_VOLUME, PRICE_JUMP)


def column_of(name: str, horizon: int | str) -> str:
    """The column ``name`` of one horizon, such as forward_return_5; of the volatility where ``horizon`` is VOLATILITY."""
    return f"{name}_{horizon}"


def labels_of(horizons: Sequence[int]) -> tuple[int | str, ...]:
    """The suffixes of the labels that have an outcome of their own: the horizons of the returns, and VOLATILITY."""
    return (*horizons, VOLATILITY)


def daily_labels(horizons: Sequence[int]) -> TableSchema:
    """The table of labels of these horizons, counted in sessions from the fill at the next open to the exit."""
    return TableSchema(
        store="ml",
        room="labels",
        name="daily_labels",
        description="Returns and volatility after each session, by horizon; null until they are known, and where bars lack or are doubted",
        columns=(
            Column(SYMBOL, pl.String, "ticker"),
            Column(SESSION, pl.Date, "the session at whose close a prediction would be made"),
            *(column for horizon in horizons for column in _columns(horizon)),
            Column(
                FORWARD_VOLATILITY,
                pl.Float64,
                "standard deviation of the daily log returns of the sessions ahead, per session",
                nullable=True,
                minimum=0,
            ),
            _outcome(VOLATILITY, "the forward volatility"),
            Column(column_of(KNOWN_ON, VOLATILITY), pl.Date, "the session at whose close the forward volatility is known"),
        ),
        key=(SYMBOL, SESSION),
    )


def _columns(horizon: int) -> tuple[Column, ...]:
    ahead = "1 session" if horizon == 1 else f"{horizon} sessions"
    return (
        Column(
            column_of(FORWARD_RETURN, horizon),
            pl.Float64,
            f"open {ahead} after the next open over the next open, less 1",
            nullable=True,
            minimum=-1,
        ),
        Column(
            column_of(DIRECTION, horizon),
            pl.Int8,
            f"1 where the return over {ahead} is positive, otherwise 0",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        _outcome(horizon, f"the return over {ahead}"),
        Column(column_of(KNOWN_ON, horizon), pl.Date, f"the session at whose open the return over {ahead} is known"),
    )


def _outcome(horizon: int | str, label: str) -> Column:
    meaning = (
        f"whether {label} is known; pending: not by the session that the labels were made as of; no_bar: a bar that it needs is "
        "missing or has no price; suspect: a bar that it rests on is beyond quality.suspect_ratio and not confirmed; no_volume: nothing "
        "was traded where it would be bought or sold; jump: a jump that no corporate action explains makes it unreliable"
    )
    return Column(column_of(LABEL_STATUS, horizon), pl.String, meaning, allowed=LABEL_STATUSES)


DAILY_LABELS: Final = daily_labels(labelled_horizons(LabelSettings()))
