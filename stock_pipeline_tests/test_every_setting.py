"""Every documented setting, once: changed, it has rows rebuilt that come out otherwise, or its stages say that it does not."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.stage import Stage, dependencies, is_declared
from stock_pipeline.settings import Settings
from stock_pipeline.settings.documentation import descriptions
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute

SYMBOLS, SESSIONS, NIGHTS = 14, 130, 3
MODELS = ("spline_ridge", "risk")
# Other values than the defaults, for all settings that rows depend on.
OTHERS: Final[dict[str, Any]] = {
    "exchange": "XLON",
    "source.currency": "EUR",
    "quality.jump_ratio": 1.2,
    "quality.suspect_ratio": 1.6,
    "universe.minimum_price": 45.0,
    "universe.minimum_dollar_volume": 20_000_000,
    "universe.minimum_history": 3,
    "universe.excluded_kinds": [],
    "universe.minimum_stocks": 13,
    "features.set": "extended",
    "labels.horizons": [2, 5],
    "labels.volatility_horizon": 9,
    "datasets.folds": 2,
    "datasets.fold_sessions": 10,
    "datasets.embargo": 6,
    "datasets.sessions": 100,
    "datasets.minimum_train_sessions": 30,
    "datasets.train_sessions": 45,
    "models.seed": 8,
    "models.threads": 2,
    "models.tuning_trials": 2,
    "retention.live_results_days": 1,
    "registry.mirror_to_mlflow": True,
    "trading.cost_bps_per_side": 25.0,
    "backtest.top_share": 0.3,
    "drift.window_sessions": 15,
    "retention.backups": 1,
}
DATA: Final = ("market_data", "universe", "features", "labels", "backtest")  # rows follow from one another; scores stand as they were given
# What a stage declares for the sake of the stages that do as it does, but which does not reach its own rows.
WITHOUT_EFFECT: Final = {
    ("exchange", "universe/daily_universe"): "no symbol has five letters, of which the last tells a kind on some exchanges",
    ("exchange", "drift/feature_drift"): "both exchanges were open on the sessions that were ingested",
    ("exchange", "performance/performance_log"): "both exchanges were open on the nights that it tells of",
    ("source.currency", "drift/feature_drift"): "no drift of the fundamental ratios is reported of two stocks",
    ("quality.jump_ratio", "datasets/walk_forward_splits"): "an outcome adjusted otherwise is known on the same session",
    ("quality.jump_ratio", "performance/performance_log"): "the leap lies before the nights that it tells of",
    ("labels.horizons", "backtest/daily_returns"): "a book is marked by the one-session return",
    ("labels.horizons", "backtest/metrics"): "a book is marked by the one-session return",
    ("quality.suspect_ratio", "datasets/walk_forward_splits"): "the same sessions have outcomes of other stocks",
    ("quality.suspect_ratio", "performance/performance_log"): "the leap lies before the nights that it tells of",
    **{
        (f"universe.{name}", "datasets/walk_forward_splits"): "the same sessions have a universe of other stocks"
        for name in ("minimum_price", "minimum_dollar_volume", "minimum_history", "excluded_kinds")
    },
    ("universe.minimum_stocks", "performance/daily_performance"): "the sessions whose outcomes are known keep their universe",
    ("labels.volatility_horizon", "performance/daily_performance"): "no volatility ahead is known within three nights",
    ("labels.volatility_horizon", "backtest/daily_returns"): "no horizon of a volatility is traded on",
    ("labels.volatility_horizon", "backtest/metrics"): "no horizon of a volatility is traded on",
    ("labels.volatility_horizon", "performance/performance_log"): "no volatility ahead is known within three nights",
}


def bars() -> pl.DataFrame:
    """Made-up bars, among them leaps overnight that only a low ratio takes for jumps or doubts, and a warrant."""
    panel = adjusted_panel(SYMBOLS, SESSIONS, missing_share=0.02)
    days = panel[SESSION].unique().sort()
    small, large = ((pl.col(SYMBOL) == symbol) & (pl.col(SESSION) >= days[place]) for symbol, place in (("S03", 110), ("S05", 105)))
    leap = pl.when(small).then(1.3).when(large).then(2.0).otherwise(1.0)
    symbol = pl.col(SYMBOL).replace("S13", "S13-WS")
    return panel.with_columns(pl.col(OPEN, HIGH, LOW, CLOSE) * leap, symbol).drop("jump")


def settings_of(home: Path, **changed: Any) -> Settings:
    sections: dict[str, Any] = {
        "source": {"name": "files", "path": str(home.parent / "bars.csv"), "fundamentals_path": str(home.parent / "reports.csv")},
        "models": {"names": MODELS, "threads": 1},
        "registry": {"mirror_to_mlflow": False},
        "automation": {},
    }
    for name, value in changed.items():
        *path, last = name.split(".")
        section = sections if not path else sections.setdefault(path[0], {})
        for part in path[1:]:
            section = section.setdefault(part, {})
        section[last] = value
    return plain_settings(home, **sections)


def stages_of(settings: Settings) -> list[Stage]:
    """The stages, of the models those named here alone. Their checks, which take longer than all the rest, are others' to try."""
    chosen = [stage for stage in all_stages(settings) if stage.cadence != "training" or stage.keys[0][1] in MODELS]
    return [replace(stage, checks=()) for stage in chosen]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after three nights, of which the first trained the models; every read was a declared one."""
    folder = tmp_path_factory.mktemp("world")
    panel = bars()
    panel.rename({SESSION: "date"}).write_csv(folder / "bars.csv")
    known = panel[SESSION].min()
    rows = [
        (symbol, "2011-12-31", "quarter", item, value * (2 + place), "USD", known)
        for place, symbol in enumerate(("S01", "S02"))
        for item, value in (("shares_outstanding", 100.0), ("equity", 500.0), ("net_income", 50.0))
    ]
    names = ["symbol", "period_end", "period", "item", "value", "currency", "captured"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "reports.csv")
    stores, days = open_stores(folder / "data", 5), panel[SESSION].unique().sort()
    settings = settings_of(stores.home)
    for night, day in enumerate(days[-NIGHTS:]):
        for stage in stages_of(settings):
            if night == 0 or stage.cadence != "training":
                execute(stage, stores, settings, day)
    return stores.home


def hashes(stores: Stores, stage: Stage) -> dict[str, str]:
    return {table.qualified_name: stores.content_hash(table) for table in stage.tables}


def test_every_setting_that_rows_depend_on_is_tried() -> None:
    of_rows = [name for name, _ in descriptions() if any(is_declared(name, stage.settings) for stage in STAGES)]
    assert sorted(of_rows) == sorted(OTHERS)


def test_a_stage_that_keeps_what_it_made_before_follows_every_setting_of_the_data_that_it_reads(tmp_path: Path) -> None:
    """Its rows of earlier nights, or its training, are rebuilt only by a setting of its own: no news reaches them."""
    stages, seen = all_stages(settings_of(tmp_path / "data", **{"features.set": "extended"})), set()
    for stage in stages:
        keeps = {"full_refresh", "nights_to_make", "rows_of_nights"} & set(stage.body.__code__.co_names)
        if keeps or stage.cadence == "training":
            upstream = {name for maker in data_behind(stage, stages) for name in maker.settings}
            declared = (*stage.settings, *stage.settings_ahead)
            assert [name for name in sorted(upstream) if not is_declared(name, declared)] == [], stage.name
            seen.add(stage.keys[0][0])
    assert seen == {"datasets", "models", "performance", "backtest", "drift"}


def data_behind(stage: Stage, stages: Sequence[Stage]) -> list[Stage]:
    """The stages of market data, features and labels from which its rows come, however far behind it; models stand as they were taken."""
    makers = {key: maker for maker in stages for key in maker.keys}
    direct = [makers[key] for key in dependencies(stage, stages) if key[0] in DATA]
    return [*direct, *(further for maker in direct for further in data_behind(maker, stages))]


@pytest.mark.parametrize("name", OTHERS)
def test_a_changed_setting_has_other_rows_made_once(name: str, world: Path, tmp_path: Path) -> None:
    shutil.copytree(world.parent, tmp_path, dirs_exist_ok=True)
    stores = open_stores(tmp_path / "data", 5)
    settings = settings_of(stores.home, **{name: OTHERS[name]})
    unaltered = set()
    for stage in stages_of(settings):
        if is_declared(name, stage.settings):
            before = hashes(stores, stage)
            made = execute(stage, stores, settings)
            assert_made_again(made, name)
            if made.output is None or (stage.tables and hashes(stores, stage) == before):
                unaltered.add((name, stage.name))
            if stage.cadence != "ingestion":
                assert execute(stage, stores, settings).state == "up_to_date", stage.name
    assert unaltered == {pair for pair in WITHOUT_EFFECT if pair[0] == name}


def assert_made_again(made: StageResult, name: str) -> None:
    assert made.state in ("succeeded", "up_to_date"), made.error
    if made.state == "succeeded" and made.stage.name != "registry/mlflow_mirror":  # which was off before, and had made nothing
        assert made.remade is not None and name in made.remade
