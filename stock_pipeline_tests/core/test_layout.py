from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from stock_pipeline.core.layout import Layout

HOME = Path("data")
ASKED = datetime(2024, 5, 3, 22, 45, 10, 250)
LAYOUT = Layout(HOME)
PLACES = {name: place for name, place in vars(LAYOUT).items() if name != "home"}


def test_everything_lies_under_the_data_directory_in_a_place_of_its_own() -> None:
    places = [*PLACES.values(), LAYOUT.drift_report(date(2024, 5, 3)), LAYOUT.job_log(7, ASKED)]
    assert all(place.is_relative_to(HOME) and place != HOME for place in places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("place", "relative"),
    [
        ("market_store", "market.duckdb"),
        ("ml_store", "ml.duckdb"),
        ("models", "models"),
        ("archive", "archive"),
        ("answers", "landing"),
        ("backups", "backups"),
        ("dagster", "dagster"),
        ("mlflow", "mlflow"),
    ],
)
def test_what_a_data_directory_holds_already_is_found_where_it_lies(place: str, relative: str) -> None:
    assert PLACES[place] == HOME / relative


def test_pages_and_logs_bear_the_night_or_the_job() -> None:
    assert LAYOUT.drift_report(date(2024, 5, 3)) == HOME / "reports" / "drift-2024-05-03.html"
    assert LAYOUT.job_log(7, ASKED) == HOME / "logs" / "training-7-20240503T224510000250.log"
    assert len({LAYOUT.job_log(job, ASKED + timedelta(microseconds=later)) for job in (7, 8) for later in (0, 1)}) == 4


def test_nothing_is_made(tmp_path: Path) -> None:
    Layout(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []
