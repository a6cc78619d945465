"""The machinery of the benchmarks: what they print, measure and refuse. How long anything takes is not tested."""

import json
import mmap
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import __main__ as command_line
from benchmarks import features, peers, watched_features, watched_ingest, watched_run
from benchmarks.bringing import bring_file, fresh_stores
from benchmarks.catalogue import CATALOGUE, Benchmark
from benchmarks.cold_process import PROJECT_FOLDER, BenchmarkError, ProcessResult, environment, run_cold
from benchmarks.figure import Figure, json_line, mebibytes, seconds
from benchmarks.made_up_panel import made_up_panel
from benchmarks.memory import PROC, peak_bytes, reset_peak, tree_bytes
from benchmarks.qlib_format import FIELDS, write_for_qlib
from benchmarks.stage_record import StageRecord, append_record, read_records, stage_figures
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.progress import Finished, Progressed, Started
from stock_pipeline.storage import open_stores

MIB = 2**20
NAMES = ", ".join(entry.name for entry in CATALOGUE)


def test_a_figure_is_one_line_of_json_with_the_five_fields() -> None:
    line = json_line("run", seconds("first run seconds", 61.23456, 90.0))
    assert "\n" not in line
    assert json.loads(line) == {"benchmark": "run", "figure": "first run seconds", "value": 61.235, "unit": "s", "target": 90.0}


def test_what_cannot_be_measured_and_what_has_no_target_is_null() -> None:
    shown = json.loads(json_line("run", mebibytes("a/b peak memory", None)))
    assert (shown["value"], shown["target"]) == (None, None)
    assert mebibytes("a/b peak memory", 3 * MIB).value == 3.0


def test_a_figure_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_line("run", Figure("share", float("nan"), "ratio"))


def test_the_names_of_the_catalogue_are_unique() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)


def test_peak_memory_is_read_from_the_status_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  1 kB\n")
    assert peak_bytes(tmp_path) == 200 * MIB


def test_peak_memory_is_none_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert peak_bytes(tmp_path) is None
    assert not reset_peak(tmp_path)
    assert not (tmp_path / "clear_refs").exists()
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert peak_bytes(tmp_path) is None


@pytest.mark.skipif(not (PROC / "clear_refs").exists(), reason="this system has no /proc")
def test_the_reset_leaves_out_what_was_freed_before() -> None:
    # Mapped by itself: the allocator might serve so much from what earlier tests have left.
    with mmap.mmap(-1, 256 * MIB) as block:
        for _ in range(256):
            block.write(b"\x01" * MIB)
        high = peak_bytes()
    assert reset_peak()
    low = peak_bytes()
    assert high is not None
    assert low is not None
    assert high - low > 128 * MIB


HOLDS = "held = bytearray(100 << 20); held[::4096] = b'x' * len(held[::4096])"
STARTS_ANOTHER = f"""
import subprocess, sys
{HOLDS}
with subprocess.Popen([sys.executable, "-c", "{HOLDS}; print('ready', flush=True); input()"]):
    pass
"""


@pytest.mark.skipif(not reset_peak(), reason="this system does not tell")
def test_memory_is_that_of_a_process_and_of_what_it_has_started() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        held = tree_bytes(process.pid)
        process.stdin.close()
    assert 200 * MIB < held < 300 * MIB


def test_the_gauge_records_every_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter([400 * MIB, 200 * MIB])
    monkeypatch.setattr(watched_run, "peak_bytes", lambda: next(marks))
    monkeypatch.setattr(watched_run, "reset_peak", lambda: True)
    record = tmp_path / "record.jsonl"
    gauge = watched_run.Gauge(record)
    gauge(Started("features/daily_features"))
    gauge(Progressed("features/daily_features", "momentum"))
    gauge(Finished("features/daily_features", 10, 1.5))
    gauge(Started("labels/daily_labels"))
    gauge(Finished("labels/daily_labels", 20, 0.5))
    assert read_records(record) == [
        StageRecord("features/daily_features", 10, 1.5, 400 * MIB),
        StageRecord("labels/daily_labels", 20, 0.5, 200 * MIB),
    ]


def test_the_gauge_gives_no_memory_of_an_asset_where_the_mark_cannot_be_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_run, "peak_bytes", lambda: 400 * MIB)
    monkeypatch.setattr(watched_run, "reset_peak", lambda: False)
    record = tmp_path / "record.jsonl"
    gauge = watched_run.Gauge(record)
    gauge(Started("labels/daily_labels"))
    gauge(Finished("labels/daily_labels", 20, 0.5))
    assert read_records(record) == [StageRecord("labels/daily_labels", 20, 0.5, None)]


def test_a_record_becomes_three_figures(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    assert read_records(path) == []
    append_record(path, StageRecord("features/daily_features", 122560, 5.6, 512 * MIB))
    assert list(stage_figures(read_records(path))) == [
        Figure("features/daily_features rows", 122560, "rows"),
        Figure("features/daily_features seconds", 5.6, "s"),
        Figure("features/daily_features peak memory of the main process", 512.0, "MiB"),
    ]


def test_a_measured_process_sees_nothing_of_the_users_settings_and_data(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "PYTHONPATH": "/lib", "DAGSTER_HOME": "/d", "STOCK_PIPELINE_HOME": "/mine", "STOCK_PIPELINE_SEED": "1"}
    assert environment(given, tmp_path) == {
        "PATH": "/bin",
        "PYTHONPATH": f"{PROJECT_FOLDER}:/lib",
        "STOCK_PIPELINE_HOME": str(tmp_path / "data"),
    }


def test_a_process_prints_to_standard_error_alone_and_its_failure_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    finished = run_cold(["-c", "import sys; print('progress'); sys.exit(3)"], tmp_path)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "progress\n")
    with pytest.raises(BenchmarkError, match="the first run ended with exit code 3"):
        finished.require_success("the first run")
    ProcessResult(1.0, 1.0, 1, 0).require_success("the first run")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], f"Error: benchmark 'nonsense' is not known; choose one of {NAMES}\n"),
        (["graph", "--data", "bars.csv"], "Error: benchmark graph takes no --data; leave it out\n"),
        (["run", "--data", "no_such/*.csv"], "Error: --data 'no_such/*.csv' matches no file; give a CSV or Parquet file or a glob\n"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", sentence)


def _fails(_data: str | None) -> Iterator[Figure]:
    yield Figure("made before", 1, "rows")
    raise BenchmarkError("the first run ended with exit code 1; what it said is above")


def test_a_benchmark_that_fails_keeps_its_figures_and_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def works(data: str | None) -> Iterator[Figure]:
        yield Figure(str(data), 2, "rows")

    monkeypatch.setattr(command_line, "CATALOGUE", (Benchmark("bad", "Fails.", _fails), Benchmark("good", "Works.", works)))
    assert command_line.main([]) == 1
    captured = capsys.readouterr()
    assert [json.loads(line)["figure"] for line in captured.out.splitlines()] == ["made before", "None"]
    assert "Error: the first run ended with exit code 1" in captured.err


def test_files_are_passed_on_by_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def names(data: str | None) -> Iterator[Figure]:
        yield Figure(str(data), 1, "rows")

    (tmp_path / "bars.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "CATALOGUE", (Benchmark("named", "Names its files.", names, takes_data=True),))
    assert command_line.main(["named", "--data", "*.csv"]) == 0
    assert json.loads(capsys.readouterr().out)["figure"] == str(tmp_path / "*.csv")


def test_members_and_renames_are_passed_to_a_benchmark_that_takes_them_and_refused_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def names(*given: str | None) -> Iterator[Figure]:
        yield Figure(" ".join(Path(each).name if each else "-" for each in given), 1, "rows")

    for name in ("bars.csv", "members.csv", "renames.csv"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    with_members = Benchmark("quality", "Names its files.", names, takes_data=True, takes_members=True)
    monkeypatch.setattr(command_line, "CATALOGUE", (with_members, Benchmark("run", "Names them too.", names, takes_data=True)))
    assert command_line.main(["quality", "--data", "bars.csv", "--members", "members.csv", "--renames", "renames.csv"]) == 0
    assert command_line.main(["quality", "--members", "members.csv"]) == 0
    assert command_line.main(["run", "--data", "bars.csv"]) == 0
    figures = [json.loads(line)["figure"] for line in capsys.readouterr().out.splitlines()]
    assert figures == ["bars.csv members.csv renames.csv", "- members.csv -", "bars.csv"]
    for wrong, told in (
        (["run", "--members", "members.csv"], "benchmark run takes no --members"),
        (["--renames", "renames.csv"], "belong to one benchmark"),
        (["quality", "--members", "none.csv"], "--members 'none.csv' matches no file"),
    ):
        assert command_line.main(wrong) == 2
        assert told in capsys.readouterr().err


def test_a_panel_is_written_as_qlib_reads_it(tmp_path: Path) -> None:
    panel = made_up_panel(symbols=2, sessions=4)
    days = panel["session"].unique().sort()
    gappy = panel.filter(~((pl.col("symbol") == "S0001") & pl.col("session").is_in([days[0], days[2]])))
    write_for_qlib(gappy, tmp_path)
    assert (tmp_path / "calendars" / "day.txt").read_text().split() == [str(day) for day in days]
    assert (tmp_path / "instruments" / "all.txt").read_text().splitlines() == [
        f"S0000\t{days[0]}\t{days[3]}",
        f"S0001\t{days[1]}\t{days[3]}",
    ]
    stored = np.fromfile(tmp_path / "features" / "s0001" / "close.day.bin", dtype="<f4")
    closes = gappy.filter(pl.col("symbol") == "S0001")["close"].to_list()
    assert stored.tolist() == pytest.approx([1, closes[0], float("nan"), closes[1]], nan_ok=True)
    assert {path.name for path in (tmp_path / "features" / "s0000").iterdir()} == {f"{field}.day.bin" for field in FIELDS}


def test_a_made_up_panel_is_the_same_every_time_and_sound() -> None:
    panel = made_up_panel(symbols=3, sessions=50)
    assert panel.equals(made_up_panel(symbols=3, sessions=50))
    assert panel.group_by("symbol").len()["len"].to_list() == [50, 50, 50]
    assert panel.filter(
        (pl.col("high") < pl.max_horizontal("open", "close")) | (pl.col("low") > pl.min_horizontal("open", "close"))
    ).is_empty()
    assert panel["session"].dt.weekday().max() == 5


def test_how_far_values_are_from_qlib_s_is_told_in_deviations_and_other_rows_are_refused(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "theirs.parquet"
    key = {"symbol": ["A", "A", "B"], "session": [date(2010, 1, 4), date(2010, 1, 5), date(2010, 1, 4)]}
    values = pl.DataFrame(key | {"MA5": [1.0, None, 3.0], "STD5": [1.0, 2.0, 3.0]})
    values.write_parquet(ours)
    renamed = values.rename({"symbol": "instrument", "session": "datetime"})
    moved = renamed.with_columns(pl.Series("MA5", [1.0, 7.0, 3.0]), pl.Series("STD5", [1.0, 2.0, 3.5]))
    moved.write_parquet(theirs)
    assert features._apart(ours, theirs) == pytest.approx(0.5)
    unknown = pl.concat([moved, moved.head(1).with_columns(pl.lit("C").alias("instrument"))])
    unknown.write_parquet(theirs)
    with pytest.raises(BenchmarkError, match="Qlib computed 4 rows"):
        features._apart(ours, theirs)


def test_a_peer_that_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS_FOLDER", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BenchmarkError, match="no-such-peer==1 could not be installed"):
        peers.python_of("none", "no-such-peer==1")
    assert not (tmp_path / "none" / "installed").exists()


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bars") / "panel.parquet"
    made_up_panel(symbols=12, sessions=130).rename({"session": "date"}).write_parquet(file)
    return file


def test_ingestion_is_measured_bar_by_bar(bars_file: Path, tmp_path: Path) -> None:
    watched_ingest.main(tmp_path / "ingest.json", str(bars_file))
    found = json.loads((tmp_path / "ingest.json").read_text())
    assert (found["bars"], found["night_bars"]) == (12 * 129, 12)
    assert min(found[name] for name in ("duckdb_seconds", "ingest_seconds", "night_seconds")) > 0


def test_features_are_measured_built_at_once_and_night_by_night(bars_file: Path, tmp_path: Path) -> None:
    watched_features.store(tmp_path / "features.json", "core", str(bars_file))
    found = json.loads((tmp_path / "features.json").read_text())
    assert min(found[name] for name in ("rebuild_seconds", "rebuild_cpu_seconds", "night_seconds", "night_cpu_seconds")) > 0
    stores = open_stores(tmp_path / "home_core")
    # The made-up panel trades on holidays too; those bars are refused.
    assert stores.count(DAILY_BARS) == stores.count(DAILY_FEATURES) == found["rows"] + 12 * watched_features.NIGHTS > 12 * 110


def test_a_measurement_of_nothing_is_refused(bars_file: Path, tmp_path: Path) -> None:
    stores = fresh_stores(tmp_path)
    bring_file(stores, bars_file)
    with pytest.raises(RuntimeError, match="market_data/daily_bars had nothing to make"):
        bring_file(stores, bars_file)
