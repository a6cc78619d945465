"""The benchmarks of the models, on panels so small that their figures mean nothing."""

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from benchmarks import quality, watched_models, watched_quality
from benchmarks.cold_process import BenchmarkError
from benchmarks.made_up_panel import made_up_panel
from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.datasets.splits import check_split
from stock_pipeline.features.catalogue import CORE
from stock_pipeline.models.catalogue import parse_models


def test_training_and_serving_are_measured_model_by_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = parse_models(("spline_ridge", "risk"))
    for name, value in {"STOCKS": 12, "SESSIONS": 300, "CATALOGUE": few, "TURNS": 1}.items():
        monkeypatch.setattr(watched_models, name, value)
    monkeypatch.setattr(watched_models, "DAYS", watched_models.DAYS[:300])
    watched_models.train(tmp_path / "train.json")
    trained = json.loads((tmp_path / "train.json").read_text())
    for turn in (trained["first"], trained["weekly"]):
        assert list(turn["seconds"]) == ["spline_ridge", "risk", "stack"]
        assert turn["all_seconds"] >= max(turn["seconds"].values()) > 0
    for entry in few:
        assert len(list((tmp_path / "folds" / entry.name).iterdir())) == watched_models.FOLDS + 1  # the newest was made twice
    watched_models.serve(tmp_path / "serve.json")
    served = json.loads((tmp_path / "serve.json").read_text())
    assert served["explained_models"] == 2
    assert min(served[name] for name in ("load", "one_row", "hundred_stocks", "explain")) > 0


def test_quality_is_tested_walk_forward_and_reads_nothing_later(tmp_path: Path) -> None:
    panel = made_up_panel(12, 520)  # two years from January 2010
    last = panel[SESSION].max()
    assert isinstance(last, date) and last.year == 2011
    file = tmp_path / "bars.parquet"
    panel.rename({SESSION: "date"}).write_parquet(file)
    record = tmp_path / "quality.json"
    watched_quality.main(record, (str(file), None, None), 2011, 2011, 6, "core", ["spline_ridge", "lightgbm"])
    found = json.loads(record.read_text())
    assert found.pop("stocks") == 12
    assert list(found) == ["spline_ridge", "lightgbm", "stack"]
    assert sum(found["stack"]["weights"].values()) == pytest.approx(1)
    assert all(abs(figures["rank_ic"]) < 0.2 and list(figures["by_year"]) == ["2011"] for figures in found.values())


def test_with_members_the_rows_are_of_the_members_of_each_session_under_the_symbols_of_the_list(tmp_path: Path) -> None:
    panel = made_up_panel(12, 60)
    symbols = panel[SYMBOL].unique().sort()
    days = [day for day in panel[SESSION].unique().sort() if trading_calendar("XNYS").is_session(day)]
    panel.rename({SESSION: "date"}).write_parquet(tmp_path / "bars.parquet")
    members = [f"{symbol},{days[0]}," for symbol in symbols[:9]] + [f"{symbols[9]},{days[30]},{days[39]}", f"LATER,{days[48]},"]
    (tmp_path / "members.csv").write_text("ticker,start_date,end_date\n" + "\n".join(members) + "\n")
    (tmp_path / "renames.csv").write_text(f"old,new,session\n{symbols[10]},LATER,2030-01-02\n")
    files = (str(tmp_path / "bars.parquet"), str(tmp_path / "members.csv"), str(tmp_path / "renames.csv"))
    rows = watched_quality.training_rows(tmp_path / "home", files, CORE, 2010)
    found = dict(rows.group_by(SYMBOL).len().iter_rows())
    assert found == {**dict.fromkeys(symbols[:9], 58), symbols[9]: 10, symbols[10]: 10}


def test_a_year_is_tested_after_training_on_those_before_it() -> None:
    days = [day for day in (date(2005, 1, 3) + timedelta(days=place) for place in range(365 * 7)) if day.weekday() < 5]
    panel = pl.DataFrame({SESSION: days})
    splits = list(watched_quality._splits(panel, 2010, 2011, 12))
    assert [(split.train_from, split.test_from, split.test_to) for split in splits] == [
        (date(2005, 1, 3), date(2010, 1, 1), date(2010, 12, 31)),
        (date(2005, 1, 3), date(2011, 1, 3), date(2011, 12, 30)),
    ]
    for split in splits:
        check_split(split, watched_quality._label_ends(panel))


def test_quality_wants_a_panel() -> None:
    with pytest.raises(BenchmarkError, match="2010 to 2017; give a panel that does with --data"):
        list(quality.measure(None))
