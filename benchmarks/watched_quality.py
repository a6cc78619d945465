"""The process that ``quality`` and ``development`` measure: ``python -m benchmarks.watched_quality RECORD FILES MEMBERS RENAMES ...``.

Every model of the return is trained and tested walk-forward: on all the sessions before, as the pipeline does by default, then on the
year or half-year. Nothing after the last year is read. What a model said is scored against the next-open one-session return. Ranks,
targets, rows and scores are of the universe of each session; where members are given, of the members.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.bringing import bring_file, fresh_stores, make
from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import FORWARD_RETURN, LABEL_STATUS, METRIC, MODEL, PERIOD, RANK_IC, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.reading import input_names, model_inputs, training_panel
from stock_pipeline.datasets.splits import Split
from stock_pipeline.features.catalogue import FeatureSet, feature_set
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.reading import read_bars_for
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import KNOWN, column_of
from stock_pipeline.models.catalogue import parse_models, stacked_models
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.fit_server import Work, execute
from stock_pipeline.models.metrics import metric_table, metrics_by_part
from stock_pipeline.models.plan import Plan
from stock_pipeline.models.stacking import stack_out_of_fold, stack_weights, widen
from stock_pipeline.models.training import FoldFit, of_all_folds
from stock_pipeline.settings import load_settings
from stock_pipeline.universe.assets import STAGES
from stock_pipeline.universe.reading import of_universe

Files = tuple[str, str | None, str | None]  # of bars, of members and of changes of symbol
(UNIVERSE,) = STAGES

EMBARGO: Final = 3
REACH: Final = 2  # sessions until a return from the next open to the open after is known


def main(record: Path, files: Files, first_year: int, last_year: int, months: int, chosen: str, names: list[str]) -> None:
    """Test each year from the first to the last in parts of so many months, and write what was found."""
    features = feature_set(chosen)
    panel = training_rows(record.parent / "home", files, features, last_year)
    splits = list(_splits(panel, first_year, last_year, months))
    label_ends = _label_ends(panel)
    folder = record.parent / "panel"
    folder.mkdir()
    Panel.of(panel, features.names).save(folder)
    stocks: Any = panel.filter(pl.col(SESSION).dt.year() >= first_year).group_by(SESSION).len()["len"].mean()
    del panel
    told, found = list[pl.DataFrame](), {"stocks": stocks}
    for entry in parse_models(names or stacked_models(None)):
        began = time.perf_counter()
        plan = Plan(entry, tuple(splits), label_ends, Conditions(seed=7, threads=2))
        work = Work(plan, features.names, folder)
        tests, seen = of_all_folds(execute([FoldFit(split, {}) for split in splits], work, print), splits)
        told.append(tests)
        found[entry.name] = _figures(tests, seen) | {"seconds": time.perf_counter() - began}
        print(entry.name, found[entry.name], file=sys.stderr, flush=True)
    wide = widen(told)
    models = [str(part[MODEL][0]) for part in told]
    found["stack"] = _figures(stack_out_of_fold(wide, models, splits), None) | {"weights": stack_weights(wide, models)}
    print("stack", found["stack"], file=sys.stderr, flush=True)
    pl.concat(told).write_parquet(record.with_suffix(".parquet"))
    record.write_text(json.dumps(found))


def training_rows(home: Path, files: Files, features: FeatureSet, last_year: int) -> pl.DataFrame:
    """The rows to learn from and to test on, of the universe of each session, up to the end of a year.

    Args:
        home: where the stores are made.
        files: bars, members and changes of symbol.
        features: the feature set.
        last_year: nothing after it is read.
    """
    stores, last, settings = fresh_stores(home), date(last_year, 12, 31), load_settings()
    bars_file, members, renames = files
    beside = settings.source.model_copy(update={"universe_path": members, "renames_path": renames})
    settings = settings.model_copy(update={"home": home, "source": beside})
    bring_file(stores, Path(bars_file), settings)
    make(UNIVERSE, stores, settings)
    bars = read_bars_for(stores, features, settings, last, date(1970, 1, 1)).filter(pl.col(SESSION) <= last)
    days = bars[SESSION].unique().sort().to_list()
    sessions, as_of = trading_calendar(settings.exchange).sessions_between(days[0], date(last_year + 1, 2, 28)), days[-1]
    labels = compute_labels(bars, sessions, as_of, (1,), 5).filter(pl.col(column_of(LABEL_STATUS, 1)) == KNOWN)
    outcomes = labels.select(SYMBOL, SESSION, pl.col(column_of(FORWARD_RETURN, 1)).alias(FORWARD_RETURN))
    names = input_names(features)
    inputs = model_inputs(of_universe(stores, compute_features(bars, features.made)), names, features.bounds)
    return RETURN_KIND.with_target(training_panel(inputs, outcomes, names))


def _splits(panel: pl.DataFrame, first_year: int, last_year: int, months: int) -> Iterator[Split]:
    sessions = panel[SESSION].unique().sort().to_list()
    starts = [date(year, month, 1) for year in range(first_year, last_year + 1) for month in range(1, 13, months)]
    for fold, (start, end) in enumerate(zip(starts, [*starts[1:], date(last_year + 1, 1, 1)], strict=True), start=1):
        tested = [day for day in sessions if start <= day < end]
        place = sessions.index(tested[0])
        learned = sessions[: place - REACH - EMBARGO]
        yield Split(fold, learned[0], learned[-1], tested[0], tested[-1])


def _label_ends(panel: pl.DataFrame) -> dict[date, date]:
    sessions = panel[SESSION].unique().sort().to_list()
    return dict(zip(sessions, [*sessions[REACH:], *[sessions[-1]] * REACH], strict=True))


def _figures(tests: pl.DataFrame, seen: pl.DataFrame | None) -> dict[str, Any]:
    metrics = dict(metric_table(tests).select(METRIC, VALUE).iter_rows())
    years = metrics_by_part(tests, None).filter((pl.col(METRIC) == RANK_IC) & (pl.col(PERIOD) != "all"))
    found: dict[str, Any] = {name: metrics[name] for name in (RANK_IC, "icir", "rank_ic_t", "positive_ic_share")}
    found["by_year"] = dict(years.select(PERIOD, VALUE).iter_rows())
    if seen is not None:
        found["seen_rank_ic"] = dict(metric_table(seen).select(METRIC, VALUE).iter_rows())[RANK_IC]
    return found


if __name__ == "__main__":
    from_year, to_year, parts = (int(given) for given in sys.argv[5:8])
    asked = (sys.argv[2], sys.argv[3] or None, sys.argv[4] or None)
    main(Path(sys.argv[1]), asked, from_year, to_year, parts, sys.argv[8], sys.argv[9:])
