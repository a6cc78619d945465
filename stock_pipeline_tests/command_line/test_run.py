"""``stock-pipeline run`` after a setting has been changed: what depends on it is rebuilt, and the command says why."""

from pathlib import Path

from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK, OwnFiles


def test_a_changed_setting_is_told_with_what_was_made_again(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    files.make()
    assert files.run("spline_ridge").exit_code == 0
    before = files.stores.read(DAILY_RETURNS)
    changed = QUICK | {"STOCK_PIPELINE_TRADING__COST_BPS_PER_SIDE": "35"}
    ended = invoke(files.home, "run", *files.full_run("spline_ridge"), **changed)
    assert ended.exit_code == 0, ended.output
    told = " ".join(ended.output.split())
    for name in ("backtest/daily_returns", "backtest/metrics"):
        assert f"{name} was rebuilt: trading.cost_bps_per_side is 35.0, was 10.0" in told
    assert told.count("was rebuilt") == 2
    after = files.stores.read(DAILY_RETURNS)
    assert after.height == before.height and not after.equals(before)
    again = invoke(files.home, "run", *files.full_run("spline_ridge"), **changed)
    assert "rebuilt" not in again.output and files.stores.read(DAILY_RETURNS).equals(after)
