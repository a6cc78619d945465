"""Every reading of prices passes over bars that are not believed, and believes those that are confirmed."""

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import CLOSE, FORWARD_RETURN, LABEL_STATUS, OPEN, PRICES, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.reading import read_past_volatility
from stock_pipeline.features.catalogue import COMBINED
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.reading import read_bars_for
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import judged_bars
from stock_pipeline.labels.tables import VOLATILITY, column_of
from stock_pipeline.market_data.flags import JUMP_FLAG
from stock_pipeline.market_data.reading import adjusted_bars
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BAR_FLAGS, CONFIRMED_BY, DAILY_BARS, FLAG, FLAGGED_ON
from stock_pipeline.portfolio.risk import risk_figures
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import INGESTION, empty_stores, everyone_in, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings

COUNT = 120
DAYS = sessions(COUNT)
AT = 100  # the place of the first bar that is not believed
NIGHT = DAYS[AT + 15]
WRONG = 0.02
OF_STOCK = pl.col(SYMBOL) == "S01"

Reading = Callable[[Stores, Settings], pl.DataFrame]


def features(stores: Stores, settings: Settings) -> pl.DataFrame:
    return compute_features(read_bars_for(stores, COMBINED, settings, NIGHT, DAYS[0]), COMBINED.made, DAYS[AT])


def past_volatility(stores: Stores, settings: Settings) -> pl.DataFrame:
    return read_past_volatility(stores, settings, NIGHT)


def risk(stores: Stores, settings: Settings) -> pl.DataFrame:
    return risk_figures(adjusted_bars(stores, NIGHT, settings.quality), NIGHT)


def labels(stores: Stores, settings: Settings) -> pl.DataFrame:
    bars = judged_bars(stores, settings, NIGHT, DAYS[0])
    return compute_labels(bars, trading_calendar(settings.exchange).sessions_between(DAYS[0], DAYS[-1]), NIGHT, (1,), 2)


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    """Rows of DAILY_BARS of ten stocks; some are missing."""
    stores = empty_stores(tmp_path / "rows")
    put_bars(stores, COUNT, 10)
    return stores.read(DAILY_BARS)


def moved(rows: pl.DataFrame, chosen: pl.Expr, factor: float) -> pl.DataFrame:
    """The rows with the prices of some bars of S01 multiplied."""
    return rows.with_columns(pl.when(OF_STOCK & chosen).then(pl.col(price) * factor).otherwise(price).alias(price) for price in PRICES)


def stored(home: Path, rows: pl.DataFrame, jumps: Mapping[int, float], actions: bool = True, by: str | None = None) -> Stores:
    """Stores with the bars, and flags of those of S01 whose close moved by so much."""
    stores = empty_stores(home)
    put(stores, DAILY_BARS, rows.with_columns(pl.lit(actions).alias(ACTIONS_KNOWN)), NIGHT, INGESTION)
    for place, value in jumps.items():
        flag = {SYMBOL: "S01", SESSION: DAYS[place], FLAG: JUMP_FLAG, VALUE: value, FLAGGED_ON: DAYS[place], CONFIRMED_BY: by}
        put(stores, BAR_FLAGS, [flag], NIGHT, INGESTION)
    everyone_in(stores, rows, NIGHT)
    return stores


def lacking(rows: pl.DataFrame, *places: int) -> pl.DataFrame:
    return rows.filter(~(OF_STOCK & pl.col(SESSION).is_in([DAYS[place] for place in places])))


def price(rows: pl.DataFrame, name: str, place: int) -> float:
    return float(rows.filter(OF_STOCK & (pl.col(SESSION) == DAYS[place]))[name].item())


@pytest.mark.parametrize("actions", [True, False])
@pytest.mark.parametrize("read", [features, past_volatility, risk])
def test_a_misprint_that_reverses_is_as_if_its_bars_were_missing(tmp_path: Path, rows: pl.DataFrame, read: Reading, actions: bool) -> None:
    settings = plain_settings(tmp_path)
    misprinted = moved(rows, pl.col(SESSION) == DAYS[AT], WRONG)
    doubted = stored(tmp_path / "doubted", misprinted, {AT: WRONG, AT + 1: 1 / WRONG}, actions)
    without = stored(tmp_path / "without", lacking(rows, AT, AT + 1), {}, actions)
    assert_frame_equal(read(doubted, settings), read(without, settings), rel_tol=1e-6)


@pytest.mark.parametrize("actions", [True, False])
@pytest.mark.parametrize("read", [features, past_volatility, risk])
def test_of_a_level_that_stays_the_two_sides_are_not_compared(tmp_path: Path, rows: pl.DataFrame, read: Reading, actions: bool) -> None:
    settings = plain_settings(tmp_path)
    later = moved(rows, pl.col(SESSION) >= DAYS[AT], WRONG)
    doubted = stored(tmp_path / "doubted", later, {AT: WRONG}, actions)
    level = price(later, OPEN, AT + 1) / price(later, CLOSE, AT - 1)
    continued = lacking(moved(later, pl.col(SESSION) < DAYS[AT], level), AT)
    assert_frame_equal(
        read(doubted, settings), read(stored(tmp_path / "one", continued, {}, actions), settings), rel_tol=1e-4, abs_tol=1e-6
    )


def test_no_label_rests_on_a_suspect_bar_and_those_after_it_stay(tmp_path: Path, rows: pl.DataFrame) -> None:
    settings = plain_settings(tmp_path)
    doubted = stored(tmp_path / "doubted", moved(rows, pl.col(SESSION) == DAYS[AT], WRONG), {AT: WRONG})
    found, sound = (labels(stores, settings).filter(OF_STOCK) for stores in (doubted, stored(tmp_path / "sound", rows, {})))
    of_return, of_volatility = column_of(LABEL_STATUS, 1), column_of(LABEL_STATUS, VOLATILITY)
    # A return from t+1 to t+2; the volatility ahead of the suspect bar itself starts from its close.
    assert found.filter(pl.col(of_return) == "suspect")[SESSION].to_list() == DAYS[AT - 2 : AT]
    assert found.filter(pl.col(of_volatility) == "suspect")[SESSION].to_list() == DAYS[AT - 2 : AT + 1]
    after = pl.col(SESSION) > DAYS[AT]
    assert found.filter(after).equals(sound.filter(after))


@pytest.mark.parametrize(
    ("move", "by", "believed"), [(0.1, "hand", True), (0.1, "yahoo", True), (0.5, "hand", True), (0.5, "yahoo", False), (0.1, None, False)]
)
def test_a_confirmed_move_is_a_return_where_no_source_reports_actions(
    tmp_path: Path, rows: pl.DataFrame, move: float, by: str | None, believed: bool
) -> None:
    settings = plain_settings(tmp_path)
    fallen = moved(rows, pl.col(SESSION) >= DAYS[AT], move)
    stores = stored(tmp_path / "fallen", fallen, {AT: move}, actions=False, by=by)
    label = labels(stores, settings).filter(OF_STOCK & (pl.col(SESSION) == DAYS[AT - 2]))
    right = price(fallen, OPEN, AT) / price(fallen, OPEN, AT - 1) - 1
    assert label[column_of(FORWARD_RETURN, 1)].to_list() == [pytest.approx(right) if believed else None]
    trend = price(fallen, CLOSE, AT) / price(fallen, CLOSE, AT - 5) - 1
    made = features(stores, settings).filter(OF_STOCK & (pl.col(SESSION) == DAYS[AT]))["return_5"].to_list()
    assert (made == [pytest.approx(trend, rel=1e-4)]) == believed


def test_a_session_on_which_no_bar_is_believed_keeps_its_place(tmp_path: Path, rows: pl.DataFrame) -> None:
    """A file whose prices of one day are in pence: windows reach over it, and nights come to what a build at once makes."""
    settings = plain_settings(tmp_path)
    stores = stored(tmp_path / "pence", rows, {})
    flag = {FLAG: JUMP_FLAG, VALUE: 100.0, FLAGGED_ON: DAYS[AT]}
    put(stores, BAR_FLAGS, [flag | {SYMBOL: f"S{number:02d}", SESSION: DAYS[AT]} for number in range(10)], NIGHT, INGESTION)
    whole = features(stores, settings)
    first = DAYS[AT + 15 - COMBINED.span + 1]
    of_night = compute_features(read_bars_for(stores, COMBINED, settings, NIGHT, first), COMBINED.made, NIGHT)
    assert whole.filter(pl.col(SESSION) == NIGHT).equals(of_night)
    assert DAYS[AT] not in whole[SESSION] and whole.filter(pl.col(SESSION) == NIGHT)["return_20"].null_count() == 0
