"""Settings as a test gives them by file and by variables, and the sentence in which they are refused."""

import traceback
from collections.abc import Callable

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.settings import load_settings

Given = Callable[..., None]


def refusal(load: Callable[[], object] = load_settings) -> str:
    """The one line in which ``load`` refuses the settings."""
    with pytest.raises(InputError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message


def all_told(load: Callable[[], object]) -> str:
    """All that Python tells of the refusal, errors behind it included; Dagster tells as much."""
    with pytest.raises(InputError) as caught:
        load()
    return "".join(traceback.format_exception(caught.value))
