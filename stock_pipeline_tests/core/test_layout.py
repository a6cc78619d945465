from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.layout import Layout

HOME = Path("data")
LAYOUT = Layout(HOME)
PLACES = {name: getattr(LAYOUT, name) for name, found in vars(Layout).items() if isinstance(found, property)}


def test_everything_lies_under_the_data_directory_in_a_place_of_its_own() -> None:
    places = [*PLACES.values(), LAYOUT.drift_report(date(2024, 5, 3)), LAYOUT.job_log(7)]
    assert all(place.is_relative_to(HOME) and place != HOME for place in places)
    assert len(set(places)) == len(places)
    assert {field.name for field in fields(Layout)} == {"home"}


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
    assert LAYOUT.job_log(7).parent == HOME / "logs" and "7" in LAYOUT.job_log(7).name


def test_nothing_is_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    for name in PLACES:
        getattr(layout, name)
    assert list(tmp_path.iterdir()) == []
