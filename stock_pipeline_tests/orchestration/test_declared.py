"""A body that reads beyond what its stage declares is found out where execution is strict, and only there."""

from collections.abc import Callable

import pytest

from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import DAILY_BARS, INSTRUMENTS
from stock_pipeline.orchestration.context import StageContext
from stock_pipeline.orchestration.declared import UndeclaredReadError
from stock_pipeline.orchestration.execution import Run, execute_stage
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, declared
from stock_pipeline_tests.harness.plain_settings import plain_settings

Read = Callable[[StageContext], object]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return ingested(tmp_path_factory.mktemp("declared"), DAYS[3])


def found(stores: Stores, read: Read, strict: bool = True) -> object:
    """What a body finds that reads something, of a stage that declares little."""
    seen: list[object] = []
    stage = declared(
        lambda context: seen.append(read(context)),
        reads=(DAILY_BARS,),
        settings=("labels", "quality.jump_ratio"),
        settings_ahead=("models.seed",),
    )
    execute_stage(stage, Run(stores, plain_settings(stores.home), strict=strict))
    return seen[0]


@pytest.mark.parametrize(
    "read",
    [
        lambda context: context.read(DAILY_BARS).height,
        lambda context: context.stores.count(BACKUPS),
        lambda context: context.stores.rows_ever(BACKUPS),
        lambda context: context.stores.read_versioned(BACKUPS).version,
        lambda context: context.settings.labels.horizons,
        lambda context: context.settings.quality.jump_ratio,
        lambda context: context.settings.models.seed,
        lambda context: context.settings.home,
    ],
)
def test_what_is_declared_is_there(read: Read, stores: Stores) -> None:
    assert found(stores, read) == found(stores, read, strict=False)


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda context: context.read(INSTRUMENTS), "market_data.instruments"),
        (lambda context: context.stores.count(INSTRUMENTS), "market_data.instruments"),
        (lambda context: context.stores.rows_ever(INSTRUMENTS), "market_data.instruments"),
        (lambda context: context.stores.read_versioned(INSTRUMENTS), "market_data.instruments"),
        (lambda context: context.settings.exchange, "setting exchange"),
        (lambda context: context.settings.quality.price_tolerance, "setting quality.price_tolerance"),
        (lambda context: context.settings.registry.promotion.mode, "setting registry.promotion.mode"),
    ],
)
def test_what_is_not_declared_is_refused_by_its_name(read: Read, named: str, stores: Stores) -> None:
    found(stores, read, strict=False)
    with pytest.raises(UndeclaredReadError, match=f"maintenance/backups read {named}"):
        found(stores, read)
