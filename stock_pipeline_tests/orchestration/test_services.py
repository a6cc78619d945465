"""The web server and the daemon end together, whichever ends first, and it is told which."""

import os
import stat
import sys
from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.orchestration import services
from stock_pipeline_tests.harness.plain_settings import plain_settings

# Stands in for Python: the process that runs the module ENDING ends by itself once the other one waits for the signal to end.
STAND_IN = """#!{python}
import os, signal, sys
folder, ending = {folder!r}, {ending!r}
if ending in sys.argv:
    open(os.path.join(folder, "waits")).read()
    sys.exit(3)

def end(*_):
    open(os.path.join(folder, "ended"), "w").close()
    sys.exit(0)

signal.signal(signal.SIGINT, end)
open(os.path.join(folder, "waits"), "w").close()
while True:
    signal.pause()
"""


@pytest.mark.parametrize(
    ("ending", "name"), [("stock_pipeline.orchestration.web_server", "the web server"), ("dagster._daemon", "the daemon")]
)
def test_when_one_ends_by_itself_the_other_is_ended_and_it_is_told_which(
    ending: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "waits")
    program = tmp_path / "python"
    program.write_text(STAND_IN.format(python=sys.executable, folder=str(tmp_path), ending=ending))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(StockPipelineError, match=rf"^{name} ended by itself with exit code 3; see what it wrote above$"):
        services.serve(plain_settings(tmp_path / "home"), 0)
    assert (tmp_path / "ended").exists()
