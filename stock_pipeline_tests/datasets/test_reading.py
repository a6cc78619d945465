"""The training panel: what was known of features and outcomes on a night, joined."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, PAST_VOLATILITY, SESSION, SYMBOL, TARGET
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets import reading
from stock_pipeline.datasets.catalogue import DIRECTION_KIND, TARGET_KINDS, VOLATILITY_KIND, TargetKind
from stock_pipeline.datasets.panel import FEATURES_FILE
from stock_pipeline.datasets.reading import input_names, model_inputs, read_inputs, read_past_volatility, write_training_panel
from stock_pipeline.datasets.targets.neutralisation import neutralised
from stock_pipeline.features.catalogue import ALPHA158, CORE, EXPOSURES, EXTENDED, FeatureSet
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.feature_bars import with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.factories.training_panels import written_panel
from stock_pipeline_tests.harness.plain_settings import plain_settings

COUNT, EARLIER = 90, 80
DAYS = sessions(COUNT + 10)
PANEL = with_companies(adjusted_panel(9, COUNT, missing_share=0.05))


def brought_to(home: Path, last: int, chosen: FeatureSet = EXTENDED) -> Stores:
    """Stores with the features and labels that a night makes, and bars (others, of the same stocks) for the past volatility."""
    stores, as_of = empty_stores(home), DAYS[last]
    known = PANEL.filter(pl.col(SESSION) <= as_of)
    put_bars(stores, COUNT, 9)
    put(stores, daily_features(chosen), compute_features(known, chosen.made), as_of)
    everyone_in(stores, known, as_of)
    put(stores, daily_labels((1, 5)), compute_labels(known, DAYS, as_of, (1, 5), 5), as_of)
    return stores


def settings(stores: Stores, name: str = "extended", **datasets: Any) -> Settings:
    return plain_settings(stores.home, features={"set": name}, datasets=datasets)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return brought_to(tmp_path_factory.mktemp("last"), COUNT - 1)


@pytest.fixture(scope="module")
def stores_then(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return brought_to(tmp_path_factory.mktemp("then"), EARLIER)


@pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)
def test_as_of_an_earlier_night_the_panel_is_that_night_s_though_the_tables_have_gone_further(
    kind: TargetKind, stores: Stores, stores_then: Stores
) -> None:
    panel = written_panel(stores, settings(stores), DAYS[EARLIER], kind)
    assert panel.equals(written_panel(stores_then, settings(stores_then), DAYS[EARLIER], kind))
    assert panel[SESSION].max() == DAYS[EARLIER]
    # The way out of a return is two sessions later; the volatility ahead spans five returns.
    reach = 5 if kind == VOLATILITY_KIND else 2
    assert panel.drop_nulls(TARGET)[SESSION].max() == DAYS[EARLIER - reach]


def test_it_does_not_matter_how_many_sessions_are_worked_on_at_a_time(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written_panel(stores, settings(stores), DAYS[COUNT - 1])
    for rows in (1, 25):
        monkeypatch.setattr(reading, "BLOCK_ROWS", rows)
        monkeypatch.setattr(reading, "_night", None)
        assert written_panel(stores, settings(stores), DAYS[COUNT - 1]).equals(whole, null_equal=True)


def test_panels_of_a_night_share_their_features_until_those_change(tmp_path: Path) -> None:
    stores = brought_to(tmp_path / "home", EARLIER)
    kinds, files = (VOLATILITY_KIND, DIRECTION_KIND, DIRECTION_KIND, DIRECTION_KIND), list[Path]()
    for place, kind in enumerate(kinds):
        if place == 2:  # one value is restated
            rows = stores.read(daily_features(EXTENDED)).with_columns(momentum_60_5=pl.col("momentum_60_5") + 1)
            put(stores, daily_features(EXTENDED), rows, DAYS[EARLIER])
        folder = tmp_path / str(place)
        folder.mkdir()
        write_training_panel(stores, settings(stores), DAYS[EARLIER - (place == 3)], kind, folder)
        files.append((folder / FEATURES_FILE).resolve())
    assert files[0] == files[1] and len(set(files)) == 3
    assert [file.exists() for file in files] == [False, False, False, True]  # of one night alone


def test_a_panel_of_no_row_is_written_too(tmp_path: Path) -> None:
    empty = written_panel(empty_stores(tmp_path), settings(empty_stores(tmp_path)), DAYS[0])
    assert empty.is_empty() and empty.columns[:2] == [SESSION, SYMBOL] and empty.columns[-1] == TARGET


def test_rows_of_which_nothing_is_known_yet_stay(stores: Stores) -> None:
    panel = written_panel(stores, settings(stores), DAYS[COUNT - 1])
    assert panel.select(SESSION, SYMBOL).equals(PANEL.select(SESSION, SYMBOL).sort(SESSION, SYMBOL))
    pending = panel.filter(pl.col(SESSION) > DAYS[COUNT - 3])
    assert pending.height > 9 and pending.select(FORWARD_RETURN, TARGET).null_count().row(0) == (pending.height,) * 2


def test_models_see_ranks_and_the_market_between_its_bounds(stores: Stores) -> None:
    panel = written_panel(stores, settings(stores), DAYS[COUNT - 1])
    assert panel.columns == [SESSION, SYMBOL, *EXTENDED.names, FORWARD_RETURN, DIRECTION, TARGET]
    assert panel.select(pl.col(EXTENDED.names).is_between(-0.5, 0.5).all()).row(0) == (True,) * len(EXTENDED.names)
    of_market = list(EXTENDED.bounds)
    assert panel.group_by(SESSION).agg(pl.col(of_market).n_unique()).select(pl.col(of_market).max()).row(0) == (1,) * len(of_market)
    assert min(panel[name].n_unique() for name in of_market) > 5


def test_the_target_is_freed_of_the_exposures_as_models_see_them(stores: Stores) -> None:
    panel = written_panel(stores, settings(stores), DAYS[COUNT - 1])
    neutralised_scores = neutralised(panel.with_columns(session_rank(FORWARD_RETURN).alias("r")), "r", EXPOSURES).with_columns(
        session_rank("r")
    )
    assert panel[TARGET].equals(neutralised_scores["r"].alias(TARGET), null_equal=True)
    assert panel[TARGET].to_list() != panel.select(session_rank(FORWARD_RETURN)).to_series().to_list()


def test_each_kind_has_the_outcome_that_its_target_is_made_of(stores: Stores) -> None:
    as_of = DAYS[COUNT - 1]
    risk = written_panel(stores, settings(stores), as_of, VOLATILITY_KIND)
    assert risk.columns[-5:] == [FORWARD_RETURN, DIRECTION, FORWARD_VOLATILITY, PAST_VOLATILITY, TARGET]
    past = risk.select(SYMBOL, SESSION).join(read_past_volatility(stores, settings(stores), as_of), on=[SYMBOL, SESSION], how="left")
    known = risk.with_columns(past[PAST_VOLATILITY]).drop_nulls(TARGET)
    assert known.height > 300
    expected = known.select((pl.col(FORWARD_VOLATILITY) / pl.col(PAST_VOLATILITY)).log()).to_series().to_list()
    assert known[TARGET].to_list() == pytest.approx(expected)
    direction = written_panel(stores, settings(stores), as_of, DIRECTION_KIND).drop_nulls(TARGET)
    assert direction[TARGET].to_list() == direction.select((pl.col(FORWARD_RETURN) > 0).cast(pl.Float64) - 0.5).to_series().to_list()


def test_a_kind_is_given_what_it_names_and_no_more(stores: Stores) -> None:
    plain = replace(DIRECTION_KIND, outcomes=(DIRECTION, PAST_VOLATILITY))
    found, without = (written_panel(stores, settings(stores), DAYS[EARLIER], kind) for kind in (plain, DIRECTION_KIND))
    assert found.columns[-4:] == [FORWARD_RETURN, DIRECTION, PAST_VOLATILITY, TARGET]
    assert found.drop(PAST_VOLATILITY).equals(without) and found[PAST_VOLATILITY].count() > 300


@pytest.mark.parametrize("count", [1, 30])
def test_only_so_many_of_the_last_sessions_are_learnt_from_where_the_settings_say_so(count: int, stores: Stores) -> None:
    as_of = DAYS[COUNT - 1]
    every, few = (written_panel(stores, settings(stores, sessions=chosen), as_of) for chosen in (None, count))
    assert few.drop_nulls(TARGET)[SESSION].n_unique() == count
    # What is left is as it was: a rank does not depend on the sessions before.
    assert few.equals(every.filter(pl.col(SESSION) >= few[SESSION].min()))


def test_a_set_without_the_exposures_has_them_beside_what_it_learns_from(tmp_path: Path) -> None:
    stores = brought_to(tmp_path, COUNT - 1, ALPHA158)
    assert input_names(ALPHA158) == (*ALPHA158.names, *EXPOSURES) and input_names(CORE) == CORE.names
    assert not set(EXPOSURES) & set(ALPHA158.names)
    inputs = read_inputs(stores, settings(stores, "alpha158"), Selection(first=DAYS[70], last=DAYS[75]))
    assert set(inputs.columns) == {SYMBOL, SESSION, *input_names(ALPHA158)}
    made = compute_features(PANEL, ALPHA158.made).filter(pl.col(SESSION).is_between(DAYS[70], DAYS[75]))
    ranked = model_inputs(made.with_columns(pl.col(name).cast(pl.Float32) for name in EXPOSURES), EXPOSURES, {})
    assert inputs.select(SYMBOL, SESSION, *EXPOSURES).equals(ranked.select(SYMBOL, SESSION, *EXPOSURES).sort(SYMBOL, SESSION))


def test_the_past_volatility_of_the_last_session_alone_is_the_one_of_all(stores: Stores) -> None:
    as_of = DAYS[EARLIER]
    every, last = (read_past_volatility(stores, settings(stores), as_of, only_last) for only_last in (False, True))
    assert every[SESSION].max() == as_of and last[SESSION].n_unique() < every[SESSION].n_unique()
    on_the_night = [frame.filter(pl.col(SESSION) == as_of).sort(SYMBOL) for frame in (every, last)]
    assert on_the_night[0].height >= 7 and on_the_night[0][PAST_VOLATILITY].null_count() == 0
    assert on_the_night[1][PAST_VOLATILITY].to_list() == pytest.approx(on_the_night[0][PAST_VOLATILITY].to_list())
