from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, VERSION
from stock_pipeline.registry.pictures import times_in_service
from stock_pipeline.registry.tables import DECISION, NUMBER, PROMOTED, REFUSED, ROLLED_BACK
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(8)


def decisions(*made: tuple[str, date, int, str]) -> pl.DataFrame:
    numbered = enumerate(made, 1)
    rows = [
        {MODEL: model, NUMBER: number, AS_OF: day, VERSION: version, DECISION: told} for number, (model, day, version, told) in numbered
    ]
    return pl.DataFrame(rows)


def test_every_time_of_service_and_every_refusal_shows() -> None:
    story = [("a", DAYS[0], 1, PROMOTED), ("b", DAYS[0], 1, PROMOTED), ("a", DAYS[2], 2, PROMOTED)]
    pictures = [
        times_in_service(decisions(*story), DAYS[7]),
        times_in_service(decisions(*story, ("a", DAYS[4], 1, ROLLED_BACK)), DAYS[7]),
        times_in_service(decisions(*story, ("b", DAYS[4], 2, REFUSED)), DAYS[7]),
        times_in_service(decisions(*story), DAYS[6]),
    ]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == len(pictures)
    assert times_in_service(decisions(*story), DAYS[7]) == pictures[0]
