"""What is shown of training jobs."""

import pytest

from stock_pipeline.command_line.tables import show_job, show_jobs

FAILED = {"mlp": "ten sessions are too few", "risk": "no memory", "lightgbm": "ten sessions are too few"}
JOB = {
    "job": 3,
    "reason": "manual",
    "state": "FAILED",
    "requested_at": None,
    "finished_at": None,
    "succeeded": [],
    "failed": FAILED,
    "error": "none",
}


def test_a_reason_that_several_models_share_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    show_job(JOB)
    show_jobs([JOB], 1, 1, 1)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("ten sessions are too few") == shown.count("no memory") == 2
    assert shown.count("mlp, lightgbm: ten sessions are too few") == shown.count("risk: no memory") == 2
