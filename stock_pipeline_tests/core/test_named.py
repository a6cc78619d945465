from dataclasses import dataclass

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.named import entry_named


@dataclass(frozen=True)
class Fruit:
    name: str


APPLE, PEAR = Fruit("apple"), Fruit("pear")


def test_the_entry_of_the_name_is_found() -> None:
    assert entry_named("pear", (APPLE, PEAR), "fruit") is PEAR


def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match="fruit 'plum' is not known; choose one of apple, pear"):
        entry_named("plum", (APPLE, PEAR), "fruit")
