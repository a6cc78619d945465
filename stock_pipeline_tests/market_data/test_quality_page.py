"""The page on quality lists every rule, and none that does not exist."""

import re
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.market_data.checks import BLOCKING, QUARANTINE, WARNING
from stock_pipeline.market_data.flags import FLAGS
from stock_pipeline.market_data.quality import DUPLICATE, BarRules, refusals

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"
REFUSALS = [name for name, _ in refusals(BarRules([date(2024, 1, 2)], 0.005, "USD"))]


@pytest.mark.parametrize(
    ("what", "rules"),
    [("refused", [*REFUSALS, DUPLICATE]), ("flagged", list(FLAGS)), ("blocks", list(BLOCKING)), ("warns", [QUARANTINE])],
)
def test_every_rule_has_its_line(what: str, rules: list[str]) -> None:
    told = re.findall(rf"^\| `([^`]+)` \| {what} \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == rules


def test_every_doubt_has_its_check() -> None:
    assert set(WARNING) == {QUARANTINE, *FLAGS}
