"""Every setting in docs/settings.md; run as a module, this writes it."""

from pathlib import Path
from typing import Final

from stock_pipeline.orchestration.stage import effects_of_settings
from stock_pipeline.settings.documentation import as_markdown, descriptions
from stock_pipeline_tests.harness.default_stages import STAGES

PAGE: Final = Path(__file__).parents[2] / "docs" / "settings.md"
MARK: Final = "<!-- settings -->\n"


def table() -> str:
    return as_markdown(effects_of_settings(STAGES, dict(descriptions()))) + "\n"


def test_the_page_tells_every_setting_as_the_code_has_it() -> None:
    _, _, written = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert written.strip() == table().strip()


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, text in descriptions() if not text] == []


def test_the_table_tells_default_meaning_and_what_a_change_does() -> None:
    rows = {line.split("`")[1]: line for line in table().splitlines()[2:]}
    assert rows["backtest.top_share"].startswith("| `backtest.top_share` | `0.1` | share of the stocks")
    assert rows["backtest.top_share"].endswith("| rebuilt: backtest |")
    assert (
        "rebuilt: market_data, features, labels, datasets, models, performance, backtest, drift; from then on: predictions, portfolio"
        in rows["quality.jump_ratio"]
    )
    assert rows["schedule.enabled"].split(" | ")[1:] == ["`true`", "whether the nightly schedule and the watchdog run", " |"]


if __name__ == "__main__":
    prose, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(f"{prose}{mark}\n{table()}", encoding="utf-8")
