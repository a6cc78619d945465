"""Reading what models learn from: features as models see them, joined to the outcome of each row.

Ranks within a session keep the market's level out: a feature that is high for every stock on one night (volatility in a crash)
says nothing about which stock to prefer, and a model that saw the level would learn the calendar. They are also bounded, which
splines need, and indifferent to outliers.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, FORWARD_RETURN, FORWARD_VOLATILITY, PAST_VOLATILITY, PRICE_FACTOR, SESSION, SYMBOL, TARGET
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.core.files import naming
from stock_pipeline.core.session_blocks import session_blocks
from stock_pipeline.datasets.catalogue import TargetKind
from stock_pipeline.datasets.panel import FEATURES_FILE, array_file, save_rows
from stock_pipeline.datasets.samples import matrix
from stock_pipeline.datasets.splits import Split, splits_from_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.catalogue import EXPOSURES, FeatureSet
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.labels.reading import read_forward_volatility, read_outcomes
from stock_pipeline.market_data.reading import bars_with_factors, sessions_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.reading import of_universe
from stock_pipeline.universe.tables import DAILY_UNIVERSE

WINDOW: Final = 20
# Sessions of bars to read for the last session's value: the returns of a window, and bars that may be missing among them.
SPAN: Final = 2 * WINDOW
EXPOSURES_FILE: Final = "exposures.arrow"
BLOCK_ROWS: Final = 100_000  # rows of features worked on at a time

_night: tuple[tuple[Any, ...], TemporaryDirectory[str]] | None = None  # the features that were written last, and what of


def write_training_panel(stores: Stores, settings: Settings, as_of: date, kind: TargetKind, folder: Path) -> None:
    """Write the training panel known on a night, with the target of a kind, into ``folder``, for ``Panel.open``.

    Where ``datasets.sessions`` is set, it holds only so many of the last sessions. Panels of a night that one process writes share the
    file of the features.

    Args:
        stores: the stores.
        settings: for the feature set, the horizon and the number of sessions.
        as_of: the session whose night counts.
        kind: the kind of target.
        folder: an empty folder.
    """
    outcomes = outcomes_of_universe(stores, as_of, predicted_horizon(settings.labels))
    sessions = outcomes[SESSION].unique().sort().to_list()
    first = sessions[-settings.datasets.sessions :][0] if settings.datasets.sessions and sessions else None
    made_of = _with_outcomes_of(kind, stores, as_of, outcomes, lambda _known: read_past_volatility(stores, settings, as_of))
    with naming(folder):
        features = _features_of_night(stores, settings, first, as_of)
        (folder / FEATURES_FILE).symlink_to(features / FEATURES_FILE)
        save_rows(folder, kind.with_target(training_panel(pl.read_ipc(features / EXPOSURES_FILE), made_of, EXPOSURES)))


def outcomes_of_universe(stores: Stores, as_of: date, horizon: int) -> pl.DataFrame:
    """``labels.reading.read_outcomes`` of the stocks in the universe of each session: what can be learned from."""
    return of_universe(stores, read_outcomes(stores, as_of, horizon))


def _features_of_night(stores: Stores, settings: Settings, first: date | None, as_of: date) -> Path:
    """The folder of FEATURES_FILE and EXPOSURES_FILE of a night; this process keeps those of one night."""
    global _night
    chosen = chosen_set(settings)
    revisions = [stores.revision(table) for table in (daily_features(chosen), DAILY_UNIVERSE)]
    made_from = (stores.home, *revisions, chosen.hash, first, as_of)
    if _night is None or _night[0] != made_from or not Path(_night[1].name).is_dir():
        if _night is not None:
            _night[1].cleanup()
        folder = TemporaryDirectory(prefix="stock_pipeline_features_", ignore_cleanup_errors=True)
        _write_features(stores, settings, first, as_of, Path(folder.name))
        _night = made_from, folder
    return Path(_night[1].name)


def _write_features(stores: Stores, settings: Settings, first: date | None, as_of: date, folder: Path) -> None:
    """Write the features of the sessions from ``first`` on as models see them, and the exposures, in the order of session and symbol.

    They are read and ranked some sessions at a time, so that memory does not grow with their number.
    """
    chosen = chosen_set(settings)
    with stores.shared_reader("ml"):
        days = of_universe(stores, read_features(stores, chosen, Selection(columns=(SYMBOL, SESSION), first=first, last=as_of)))[SESSION]
        exposures = list[pl.DataFrame]()
        with array_file(folder / FEATURES_FILE, np.dtype(np.float32), (days.len(), len(chosen.names))) as append:
            # Of no session at all, a block without rows.
            for start, end in session_blocks(days, BLOCK_ROWS) or [(as_of, as_of)]:
                block = read_inputs(stores, settings, Selection(first=start, last=end)).sort(SESSION, SYMBOL)
                append(matrix(block, chosen.names))
                exposures.append(block.select(SESSION, SYMBOL, *EXPOSURES))
    pl.concat(exposures).write_ipc(folder / EXPOSURES_FILE)


def _with_outcomes_of(
    kind: TargetKind, stores: Stores, as_of: date, outcomes: pl.DataFrame, past: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """The outcomes with the columns besides returns that a kind of target needs; ``past`` makes past_volatility of the rows left."""
    key = [SYMBOL, SESSION]
    if FORWARD_VOLATILITY in kind.outcomes:
        outcomes = outcomes.join(read_forward_volatility(stores, as_of), on=key, how="inner")
    return outcomes.join(past(outcomes), on=key, how="left") if PAST_VOLATILITY in kind.outcomes else outcomes


def read_inputs(stores: Stores, settings: Settings, selection: Selection) -> pl.DataFrame:
    """symbol, session, the features of the chosen set as models see them (see ``model_inputs``), and the exposures likewise.

    Of the stocks in the universe of their session, ranked among each other.
    """
    chosen = chosen_set(settings)
    return model_inputs(of_universe(stores, read_features(stores, chosen, selection)), input_names(chosen), chosen.bounds)


def input_names(chosen: FeatureSet) -> tuple[str, ...]:
    """The features of the set to learn from, and the exposures that are not among them."""
    return (*chosen.names, *(name for name in EXPOSURES if name not in chosen.names))


def read_past_volatility(stores: Stores, settings: Settings, as_of: date, only_last: bool = False) -> pl.DataFrame:
    """The past volatility of every session known on a night; see ``past_volatility``.

    Args:
        stores: the stores.
        settings: for the limits beyond which a bar jumps and beyond which it is suspect.
        as_of: the session whose night counts.
        only_last: read only as many bars as the last session needs; the values of earlier sessions are then incomplete.
    """
    first = sessions_of(stores, as_of)[-SPAN:][0] if only_last else None
    bars = bars_with_factors(stores, as_of, settings.quality, first)
    return past_volatility(bars)


def read_targets(
    stores: Stores, settings: Settings, as_of: date, first: date, outcomes: pl.DataFrame, kinds: Collection[TargetKind]
) -> dict[str, pl.DataFrame]:
    """The targets of the sessions from ``first`` on, as they were known on the night of ``as_of``.

    Args:
        stores: the stores.
        settings: for the feature set, of which only the exposures are read.
        as_of: the session whose night counts.
        first: the first session.
        outcomes: what ``labels.reading.read_outcomes`` returns for that night.
        kinds: the kinds of targets.

    Returns:
        For each kind, by its name, session, symbol, forward_return and target, both null where they are not known, of the stocks in the
        universe of their session; sorted by session and symbol.
    """
    chosen = chosen_set(settings)
    exposures = read_features(stores, chosen, Selection(columns=(SYMBOL, SESSION, *EXPOSURES), first=first, last=as_of))
    inputs = model_inputs(of_universe(stores, exposures), EXPOSURES, chosen.bounds)
    known = outcomes.filter(pl.col(SESSION) >= first)

    def past(rows: pl.DataFrame) -> pl.DataFrame:
        return read_past_volatility_of(stores, settings, as_of, rows[SESSION].unique().sort().to_list())

    made = {}
    for kind in kinds:
        panel = training_panel(inputs, _with_outcomes_of(kind, stores, as_of, known, past), EXPOSURES)
        made[kind.name] = kind.with_target(panel).select(SESSION, SYMBOL, FORWARD_RETURN, TARGET)
    return made


def read_past_volatility_of(stores: Stores, settings: Settings, as_of: date, wanted: Sequence[date]) -> pl.DataFrame:
    """``past_volatility`` of some sessions, each from the bars up to itself that a prediction on its night rests on.

    So a value is the same to the last bit whichever other sessions are wanted: a rolling deviation that began earlier would differ
    by rounding, and results would be written again every night.

    Args:
        as_of: the night whose knowledge of the bars counts.
        wanted: sessions in order.
    """
    sessions = sessions_of(stores, as_of)
    spans = {day: sessions[max(0, place + 1 - SPAN)] for place, day in enumerate(sessions)}
    days = [day for day in wanted if day in spans]
    empty = pl.DataFrame(schema={SYMBOL: pl.String, SESSION: pl.Date, PAST_VOLATILITY: pl.Float64})
    if not days:
        return empty
    bars = bars_with_factors(stores, as_of, settings.quality, spans[days[0]])
    seen = pl.col(SESSION).is_between
    parts = [past_volatility(bars.filter(seen(spans[day], day))).filter(pl.col(SESSION) == day) for day in days]
    return pl.concat([empty, *parts])


def read_splits(stores: Stores, as_of: date) -> list[Split]:
    """The last walk-forward splits made up to the night of ``as_of``, in the order of their folds; none where there are none."""
    return splits_from_table(stores.read(WALK_FORWARD_SPLITS, Selection(last=as_of, latest=True)))


def training_panel(features: pl.DataFrame, outcomes: pl.DataFrame, feature_names: Sequence[str]) -> pl.DataFrame:
    """Every row of features joined to its outcome, where that is known.

    Make the features model inputs first, ``training_panel(model_inputs(features, names, bounds), outcomes, names)``: ranked among the
    rows that have an outcome, a stock's rank would depend on which of the others turned out to have one, which no one knows on the
    night. Rows without an outcome stay, because models that look at several sessions look at them too.

    Args:
        features: symbol, session and ``feature_names``; one row per symbol and session.
        outcomes: symbol, session and columns of outcomes, null or left out where not known yet; one row per symbol and session.
        feature_names: the features to keep, in the order in which models see them.

    Returns:
        session, symbol, the features and the columns of the outcomes, sorted by session and symbol.
    """
    kept = features.select(SESSION, SYMBOL, *feature_names)
    return kept.join(outcomes, on=[SYMBOL, SESSION], how="left", validate="1:1").sort(SESSION, SYMBOL)


def model_inputs(frame: pl.DataFrame, names: Sequence[str], bounds: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """The frame with each of the columns ``names`` as models see it: Float32 from -0.5 to 0.5.

    A feature becomes its rank within its session. One that has ``bounds`` is the same for every stock of a session, so that a rank
    would say nothing: it is scaled from its lower bound (-0.5) to its upper one (0.5). Nulls (and NaN) become 0, the middle: a
    feature that is missing speaks neither for a stock nor against it, and every model, splines included, can take the row.
    """
    return frame.with_columns(
        (_scaled(name, *bounds[name]) if name in bounds else session_rank(name)).fill_null(0.0).cast(pl.Float32) for name in names
    )


def _scaled(name: str, low: float, high: float) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64).fill_nan(None).clip(low, high)
    return (value - low) / (high - low) - 0.5


def past_volatility(bars: pl.DataFrame) -> pl.DataFrame:
    """The standard deviation (n - 1) of each stock's last 20 daily log returns.

    Args:
        bars: symbol, session, close and price_factor, as ``market_data.reading.bars_with_factors`` gives them, one per symbol and session.

    Returns:
        symbol, session and past_volatility (Float64, per session; null before there are 20 returns, and where a close is not
        positive), sorted by symbol and session; no row for a bar without a price, as suspect ones are.
    """
    close = pl.when(pl.col(CLOSE) > 0).then(pl.col(CLOSE))
    log_return = (close / (close.shift(1) * pl.col(PRICE_FACTOR))).log()
    return (
        bars.drop_nulls(CLOSE)
        .sort(SYMBOL, SESSION)
        .select(SYMBOL, SESSION, log_return.rolling_std(WINDOW).over(SYMBOL).alias(PAST_VOLATILITY))
    )
