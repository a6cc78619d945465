import errno
import os

import pytest

from stock_pipeline.core.files import sentence_on


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EACCES, "the right to read and write"), (errno.EROFS, "another disk|a disk that can be written"), (errno.ENOSPC, "free space")],
)
def test_an_error_of_a_file_names_it_and_the_remedy(number: int, remedy: str) -> None:
    told = sentence_on(OSError(number, os.strerror(number), "/data/ml.duckdb"))
    assert told.startswith(f"/data/ml.duckdb: {os.strerror(number).lower()}; ")
    assert any(part in told for part in remedy.split("|"))


def test_an_error_without_a_file_or_a_remedy_is_a_sentence_too() -> None:
    assert sentence_on(OSError(errno.EIO, "Input/output error")) == "a file: input/output error"
