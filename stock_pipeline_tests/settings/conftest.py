import os
from pathlib import Path

import pytest

from stock_pipeline.settings import FILE_NAME, PREFIX
from stock_pipeline_tests.harness.given_settings import Given


@pytest.fixture(autouse=True)
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    """An empty working directory and no variable of ours; then a settings file and variables as the test wants them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)

    def give(file: str | bytes | None = None, **variables: str) -> None:
        if file is not None:
            Path(FILE_NAME).write_bytes(file if isinstance(file, bytes) else file.encode())
        for name, value in variables.items():
            monkeypatch.setenv(PREFIX + name, value)

    return give
