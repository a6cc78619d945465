from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, VERSION
from stock_pipeline.registry.charts import active_periods
from stock_pipeline.registry.tables import DECISION, NUMBER, PROMOTION, REJECTION, ROLLBACK
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(8)


def decisions(*made: tuple[str, date, int, str]) -> pl.DataFrame:
    numbered = enumerate(made, 1)
    rows = [
        {MODEL: model, NUMBER: number, AS_OF: day, VERSION: version, DECISION: told} for number, (model, day, version, told) in numbered
    ]
    return pl.DataFrame(rows)


def test_every_time_of_service_and_every_refusal_shows() -> None:
    story = [("a", DAYS[0], 1, PROMOTION), ("b", DAYS[0], 1, PROMOTION), ("a", DAYS[2], 2, PROMOTION)]
    charts = [
        active_periods(decisions(*story), DAYS[7]),
        active_periods(decisions(*story, ("a", DAYS[4], 1, ROLLBACK)), DAYS[7]),
        active_periods(decisions(*story, ("b", DAYS[4], 2, REJECTION)), DAYS[7]),
        active_periods(decisions(*story), DAYS[6]),
    ]
    assert all(chart.startswith(b"\x89PNG") for chart in charts)
    assert len(set(charts)) == len(charts)
    assert active_periods(decisions(*story), DAYS[7]) == charts[0]
