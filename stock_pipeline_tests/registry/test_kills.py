"""Whoever changes the current version may be killed at any moment: the old one serves or the new one, never none, never half."""

import multiprocessing
import random
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl

from stock_pipeline.core.columns import VERSION
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry import by_hand
from stock_pipeline.registry.by_hand import roll_back_by_hand
from stock_pipeline.registry.tables import ACTIVE, ACTIVE_TO, DECISION, MODEL_VERSIONS, NUMBER, PROMOTIONS, RETIRED, ROLLED_BACK, STATUS
from stock_pipeline.storage import Stores, audit, open_stores, writing
from stock_pipeline_tests.panels import sessions
from stock_pipeline_tests.stored import MOMENT, ingested, put, training_row, version_row

KILLS = 200
DAYS = sessions(3)
MODEL = "lightgbm"


def there_and_back(home: Path, telling: Connection) -> None:
    """Go from one version to the other for ever, and tell of every step on the way to the disk."""
    for module, name in ((writing, "_delete_replaced"), (writing, "_insert"), (audit, "record_write"), (audit, "advance_watermark")):
        setattr(module, name, told(telling, getattr(module, name)))
    by_hand.check_artefact = lambda *_given: None  # type: ignore[assignment, attr-defined]
    stores = open_stores(home)
    while True:
        back = roll_back_by_hand(stores, MODEL, serving(stores)[1], "to and fro", MOMENT)
        telling.send(back)


def told(telling: Connection, step: Callable[..., Any]) -> Callable[..., Any]:
    def telling_first(*given: Any) -> Any:
        telling.send(None)
        return step(*given)

    return telling_first


def serving(stores: Stores) -> tuple[int, int]:
    """The version that serves and the one that does not, once both tables agree that it is so."""
    with stores.kept_open("ml"):
        versions, decisions = stores.read(MODEL_VERSIONS), stores.read(PROMOTIONS).sort(NUMBER)
    assert sorted(versions[STATUS]) == [ACTIVE, RETIRED]
    active = versions.filter(pl.col(STATUS) == ACTIVE)
    assert active[ACTIVE_TO].null_count() == 1 and versions[ACTIVE_TO].null_count() == 1
    assert decisions[NUMBER].to_list() == list(range(1, decisions.height + 1)) and set(decisions[DECISION]) <= {ROLLED_BACK}
    assert decisions.is_empty() or decisions[VERSION][-1] == active[VERSION][0]
    return active[VERSION][0], versions.filter(pl.col(STATUS) == RETIRED)[VERSION][0]


def test_two_hundred_kills_leave_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    stores = ingested(tmp_path, DAYS[-1])
    put(stores, TRAININGS, [training_row(MODEL, f"t{number}", DAYS[0]) for number in (1, 2)], DAYS[0])
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 1, "t1", DAYS[0], DAYS[1]), version_row(MODEL, 2, "t2", DAYS[1])], DAYS[1])
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    moments = random.Random(7)  # noqa: S311
    changed, acknowledged = 0, 0
    for _ in range(KILLS):
        before, _other = serving(stores)
        hearing, telling = processes.Pipe(duplex=False)
        child = processes.Process(target=there_and_back, args=(tmp_path, telling), daemon=True)
        child.start()
        telling.close()
        last = None
        for _step in range(moments.randint(1, 9)):
            last = hearing.recv() or last
        child.kill()
        child.join()
        hearing.close()
        after, _other = serving(stores)
        acknowledged += last is not None
        changed += after != before
    assert 0 < changed < KILLS and acknowledged > 0
