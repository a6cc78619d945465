"""Reading labels as of a session: outcomes that were known by then, and when those of each session are."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, KNOWN_ON, LABEL_STATUS, SESSION, SYMBOL
from stock_pipeline.labels.catalogue import labelled_horizons
from stock_pipeline.labels.tables import DAILY_LABELS, KNOWN, VOLATILITY, column_of, daily_labels, labels_of
from stock_pipeline.market_data.reading import bars_with_factors
from stock_pipeline.settings import LabelSettings, Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def judged_bars(stores: Stores, settings: Settings, as_of: date, first: date) -> pl.DataFrame:
    """The bars from ``first`` on that labels are made of, as known on a night: with factors, jumps and suspects.

    Args:
        stores: the stores.
        settings: for the limits beyond which a bar jumps and beyond which it is suspect.
        as_of: the session whose night counts.
        first: the first session to read.
    """
    return bars_with_factors(stores, as_of, settings.quality, first)


def read_outcomes(stores: Stores, as_of: date, horizon: int) -> pl.DataFrame:
    """The returns over ``horizon`` sessions that were known on the night of ``as_of``, however far the table has been brought.

    Labels have no versions: a return that was restated after ``as_of`` is the restated one.

    Returns:
        symbol, session, forward_return and direction, sorted by symbol and session; no row without an outcome.
    """
    columns = {name: column_of(name, horizon) for name in (FORWARD_RETURN, DIRECTION, LABEL_STATUS, KNOWN_ON)}
    labels = stores.read(daily_labels((horizon,)), Selection(columns=(SYMBOL, SESSION, *columns.values()), last=as_of))
    known = (pl.col(columns[LABEL_STATUS]) == KNOWN) & (pl.col(columns[KNOWN_ON]) <= as_of)
    return labels.filter(known).select(SYMBOL, SESSION, *(pl.col(columns[name]).alias(name) for name in (FORWARD_RETURN, DIRECTION)))


def read_sessions(stores: Stores, as_of: date) -> list[date]:
    """The sessions up to ``as_of`` that have labels, known or yet to come, in order."""
    sessions: list[date] = stores.read(DAILY_LABELS, Selection(columns=(SESSION,), last=as_of, distinct=True))[SESSION].to_list()
    return sessions


def read_forward_volatility(stores: Stores, as_of: date) -> pl.DataFrame:
    """Read the forward volatility that was known on the night of ``as_of``: symbol, session, forward_volatility; no row without one."""
    outcome, known_on = column_of(LABEL_STATUS, VOLATILITY), column_of(KNOWN_ON, VOLATILITY)
    wanted = (SYMBOL, SESSION, FORWARD_VOLATILITY, outcome, known_on)
    labels = stores.read(DAILY_LABELS, Selection(columns=wanted, last=as_of))
    return labels.filter((pl.col(outcome) == KNOWN) & (pl.col(known_on) <= as_of)).select(SYMBOL, SESSION, FORWARD_VOLATILITY)


def read_first_known(stores: Stores, as_of: date, horizon: int) -> dict[date, date]:
    """For each session of which a return over ``horizon`` sessions was known on the night of ``as_of``, in order, the first such night."""
    outcome, known_on = column_of(LABEL_STATUS, horizon), column_of(KNOWN_ON, horizon)
    labels = stores.read(daily_labels((horizon,)), Selection(columns=(SESSION, outcome, known_on), last=as_of, equals={outcome: [KNOWN]}))
    first = labels.group_by(SESSION).agg(pl.col(known_on).min()).filter(pl.col(known_on) <= as_of).sort(SESSION)
    return dict(first.iter_rows())


def read_label_ends(stores: Stores, as_of: date, chosen: LabelSettings) -> dict[date, date]:
    """For each session up to ``as_of`` the one on which the last of its labels, of whatever horizon, is known; it may be yet to come."""
    horizons = labelled_horizons(chosen)
    ends = [column_of(KNOWN_ON, horizon) for horizon in labels_of(horizons)]
    labels = stores.read(daily_labels(horizons), Selection(columns=(SESSION, *ends), last=as_of))
    latest = labels.group_by(SESSION).agg(pl.max_horizontal(ends).max()).sort(SESSION)
    return dict(latest.iter_rows())
