"""What follows from a declaration: dependencies, news and what may be read."""

from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS, INSTRUMENTS
from stock_pipeline.models.tables import MODEL_METRICS, TRAININGS
from stock_pipeline.orchestration.context import StageContext
from stock_pipeline.orchestration.stage import Stage, StageCheck, dependencies, key_of, via
from stock_pipeline.registry.tables import LIVE_RESULTS, MODEL_VERSIONS


def nothing(_context: StageContext) -> None:
    """A body that makes nothing."""


INGEST = Stage(
    (key_of(DAILY_BARS), key_of(CORPORATE_ACTIONS)), "", (DAILY_BARS, CORPORATE_ACTIONS), (), nothing, cadence="ingestion", store="market"
)
RIDGE, FOREST = (
    Stage((("models", name),), "", (TRAININGS, MODEL_METRICS), (DAILY_BARS,), nothing, cadence="training") for name in ("ridge", "forest")
)
STACK = Stage((("models", "stack"),), "", (TRAININGS, MODEL_METRICS), via(RIDGE.keys, TRAININGS), nothing, cadence="training")
REGISTER = Stage((key_of(MODEL_VERSIONS),), "", (MODEL_VERSIONS,), (TRAININGS, CORPORATE_ACTIONS), nothing, reads_back=(LIVE_RESULTS,))
MEASURE = Stage((("performance", "all"),), "", (LIVE_RESULTS,), (MODEL_VERSIONS, *via(REGISTER.keys, TRAININGS)), nothing)
KEEP = Stage((key_of(BACKUPS),), "", (BACKUPS,), (LIVE_RESULTS,), nothing, amends=(MODEL_VERSIONS,))
ALL = (INGEST, RIDGE, FOREST, STACK, REGISTER, MEASURE, KEEP)


def test_a_table_with_an_asset_of_its_own_is_depended_on_by_its_key() -> None:
    assert dependencies(RIDGE, ALL) == (key_of(DAILY_BARS),)


def test_a_table_that_many_stages_write_is_depended_on_by_all_of_their_keys_but_one_s_own() -> None:
    assert dependencies(REGISTER, ALL)[:3] == (("models", "ridge"), ("models", "forest"), ("models", "stack"))


def test_what_is_read_by_way_of_an_asset_is_depended_on_by_that_alone() -> None:
    assert dependencies(STACK, ALL) == (("models", "ridge"),)
    assert dependencies(MEASURE, ALL) == (key_of(MODEL_VERSIONS),)


def test_feedback_is_news_but_no_dependency_and_comes_with_a_new_night() -> None:
    assert LIVE_RESULTS in REGISTER.news
    assert dependencies(REGISTER, ALL)[3:] == (key_of(CORPORATE_ACTIONS), key_of(DAILY_BARS))


def test_who_amends_a_table_does_not_become_its_maker() -> None:
    assert dependencies(MEASURE, (*ALL, KEEP)) == (key_of(MODEL_VERSIONS),)
    assert dependencies(KEEP, ALL) == (("performance", "all"),)


def test_what_may_be_read_is_one_s_own_what_is_declared_and_what_checks_need() -> None:
    check = StageCheck((), lambda _context: {}, reads=(INSTRUMENTS,))
    stage = Stage(
        (key_of(BACKUPS),), "", (BACKUPS,), (DAILY_BARS,), nothing, reads_back=(LIVE_RESULTS,), amends=(MODEL_VERSIONS,), checks=(check,)
    )
    tables = (BACKUPS, DAILY_BARS, LIVE_RESULTS, MODEL_VERSIONS, INSTRUMENTS)
    assert stage.readable == {table.qualified_name for table in tables}
    assert stage.news == (DAILY_BARS, LIVE_RESULTS)
