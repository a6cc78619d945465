"""Numbers with decimal commas, and which files tell that theirs are such; days with several bars."""

from datetime import datetime
from pathlib import Path

import pytest

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline_tests.factories.bar_files import BAR, HEADER, ROW, csv, fetched, parquet, refusal

MAY_MEAN = "which may mean {}; write one of these"


def written(folder: Path, separator: str, *numbers: str) -> Path:
    rows = [separator.join(("A", f"2010-01-{4 + day:02}", *row.split())) for day, row in enumerate(numbers)]
    return csv(folder, *rows, header=HEADER.replace(",", separator))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize(
    ("numbers", "volume"),
    [
        ("10,0 11,0 9,0 10,5 100", 100.0),
        ("10 11 9 10,5 1.234", 1234.0),
        ("10 11 9 10,5 1.234.567", 1234567.0),
        ("10 11 9 10,5 1\u00a0234", 1234.0),
        ("10 11 9 10,5 1'234", 1234.0),
        ("10 11 9 10,5 1,2M", 1.2e6),
        ("10,000 11,000 9,000 10,500 1.234.567", 1234567.0),
        ("10.0 11 9 10.5 100", 100.0),
        ("10.0 11 9 10.5 1,234,567", 1234567.0),
        ("10.0 11 9 10.5 12.5", 12.5),
    ],
)
def test_a_file_s_numbers_tell_its_decimal_sign(tmp_path: Path, separator: str, numbers: str, volume: float) -> None:
    if separator == "\t" and "\u00a0" in numbers:
        numbers = numbers.replace("\u00a0", "\u202f")
    path = csv(
        tmp_path,
        separator.join(("A", "2010-01-04", *numbers.split(" "))),
        header=HEADER.replace(",", separator),
    )
    assert fetched(path).rows() == [(*BAR[:6], volume, *BAR[7:])]


def test_one_number_of_the_file_settles_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, ";", "10,500 10,500 10,500 10,500 100", "1.010,500 11,250 9,5 11 100")
    assert fetched(path)["open"].to_list() == [10.5, 1010.5]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ("10,500 11 9 10 100", "column open has '10,500' in line 2, " + MAY_MEAN.format("10500 or 10.5000")),
        ("10 10.500 9 10 100", "column high has '10.500' in line 2, " + MAY_MEAN.format("10500 or 10.5000")),
        ("10 11 9 10 1.234", "column volume has '1.234' in line 2, " + MAY_MEAN.format("1234 or 1.2340")),
        ("10.0 11.5 9 10 1.234", "column volume has '1.234' in line 2, " + MAY_MEAN.format("1234 or 1.2340")),
        ("10,5 11.5 9 10 100", "column open has '10,5' in line 2, which is not a number"),
        ("10.5 11.5 9 10 1.234.567", "column volume has '1.234.567' in line 2, which is not a number"),
    ],
)
def test_a_number_with_two_meanings_is_refused(tmp_path: Path, numbers: str, told: str) -> None:
    path = written(tmp_path, ";", numbers)
    assert refusal(path) == f"{path}: {told}"


def test_prices_between_quotes_are_refused_where_nothing_settles_them(tmp_path: Path) -> None:
    path = csv(tmp_path, ROW, 'A,2010-01-05,10,11,9,"10,500",100'.replace("10.5", "10"))
    assert fetched(path)["close"].to_list() == [10.5, 10500.0]
    assert fetched(csv(tmp_path, 'A,2010-01-05,10.5,11,9,"10,500",100'))["close"].to_list() == [10500.0]
    assert fetched(csv(tmp_path, 'A,2010-01-05,1.250,1.5,1.2,1.250,"1,234"')).select("open", "volume").row(0) == (1.25, 1234.0)
    assert fetched(csv(tmp_path, 'A,2010-01-05,1.250,1.500,1.250,1.250,"1,234"'))["open"].to_list() == [1.25]
    path = csv(tmp_path, 'A,2010-01-05,"10,500",11,9,10,1.234')
    assert refusal(path) == f"{path}: column open has '10,500' in line 2, {MAY_MEAN.format('10500 or 10.5000')}"
    path = csv(tmp_path, 'A,2010-01-05,10,11,9,"10,500","1,234"')
    assert refusal(path) == f"{path}: column close has '10,500' in line 2, {MAY_MEAN.format('10500 or 10.5000')}"
    assert fetched(csv(tmp_path, 'A,2010-01-05,10,11,9,"10,500","1,234,567"'))["close"].to_list() == [10500.0]
    assert fetched(csv(tmp_path, 'A,2010-01-05,10,11,9,10,"1,234"'))["volume"].to_list() == [1234.0]
    path = csv(tmp_path, 'A,2010-01-05,10,11,9,"10,5",1')
    assert refusal(path) == f"{path}: column close has '10,5' in line 2, which is not a number"


@pytest.mark.parametrize(
    ("moments", "times"),
    [
        (["2010-01-04 09:30", "2010-01-04 10:30"], "09:30 and 10:30"),
        (["2010-01-04 16:00:00", "2010-01-04 09:30:00"], "09:30:00 and 16:00:00"),
        (["2010-01-04T14:30:00Z", "2010-01-04T21:00:00Z"], "14:30:00 and 21:00:00"),
        (["1262615400", "1262638800"], "14:30 and 21:00"),
    ],
)
def test_a_day_with_bars_at_several_times_is_refused(tmp_path: Path, moments: list[str], times: str) -> None:
    rows = [ROW.replace("2010-01-04", moment) for moment in moments]
    path = csv(tmp_path, *rows)
    assert refusal(path) == f"{path} has more than one bar of A on 2010-01-04, as at {times}; give daily bars"
    assert f"as at {times};" in refusal(csv(tmp_path, *rows, header=HEADER.replace("date", "time")))
    other = csv(tmp_path, rows[0], rows[1].replace("A", "B"))
    assert fetched(other)[SYMBOL].to_list() == ["A", "B"]
    captured = csv(tmp_path, f"{rows[0]},2010-01-04", f"{rows[1]},2010-01-05", header=f"{HEADER},captured")
    assert fetched(captured).height == 2


def test_a_time_in_a_column_of_its_own_counts_too(tmp_path: Path) -> None:
    path = csv(tmp_path, f"{ROW},0930", f"{ROW},1030", header=f"{HEADER},<TIME>")
    assert refusal(path) == f"{path} has more than one bar of A on 2010-01-04, as at 0930 and 1030; give daily bars"
    rows = [f"{ROW},1600", f"{ROW.replace('-04', '-05')},1300"]
    assert fetched(csv(tmp_path, *rows, header=f"{HEADER},<TIME>")).height == 2


def test_the_moments_of_a_table_count_too(tmp_path: Path) -> None:
    days = [datetime(2010, 1, 4, 9, 30), datetime(2010, 1, 4, 10, 30)]
    columns = {"symbol": ["A", "A"], "open": [10.0] * 2, "high": [11.0] * 2, "low": [9.0] * 2, "close": [10.0] * 2, "volume": [1] * 2}
    path = parquet(tmp_path, date=days, **columns)
    assert refusal(path) == f"{path} has more than one bar of A on 2010-01-04, as at 09:30 and 10:30; give daily bars"


def test_the_same_bar_twice_is_left_to_the_quality_rules(tmp_path: Path) -> None:
    row = ROW.replace("2010-01-04", "2010-01-04 16:00")
    assert fetched(csv(tmp_path, row, row)).height == 2


@pytest.mark.parametrize("moment", ["2010-08-01T15:00:00Z", "1280674800"])
def test_an_instant_that_may_be_of_another_exchange_is_refused(tmp_path: Path, moment: str) -> None:
    path = csv(tmp_path, ROW.replace("2010-01-04", moment))
    told = "a time of UTC at which no day begins, and no session of New York opens or closes; write dates such as 2010-08-20"
    assert refusal(path) == f"{path}: column date has {moment!r} in line 2, {told}"
