"""The catalogue in docs/features.md; run as a module, this writes it."""

import re
from pathlib import Path
from typing import Final

from stock_pipeline.features.catalogue import ALPHA158, CORE, EXTENDED, FEATURE_SETS, as_markdown

PAGE: Final = Path(__file__).parents[2] / "docs" / "features.md"
MARK: Final = "<!-- catalogue -->\n"


def catalogue() -> str:
    """The tables of all features."""
    beyond_core = EXTENDED.features[len(CORE.features) :]
    # combined is extended and alpha158
    parts = (("core", CORE.features), ("extended, beyond core", beyond_core), ("alpha158", ALPHA158.features))
    return "\n\n".join(f"### {title}\n\n{as_markdown(features)}" for title, features in parts) + "\n"


def test_the_page_tells_every_feature_as_the_code_has_it() -> None:
    _, _, written = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert written.strip() == catalogue().strip()


def sized(prose: str) -> str:
    """The page with the number of features that each set has now."""
    for chosen in FEATURE_SETS:
        prose = re.sub(rf"^\| `{chosen.name}` \| \d+ \|", f"| `{chosen.name}` | {len(chosen.features)} |", prose, flags=re.MULTILINE)
    return prose


def test_the_page_tells_the_sizes_of_the_sets() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert sized(text) == text
    assert all(f"| `{chosen.name}` | {len(chosen.features)} |" in text for chosen in FEATURE_SETS)


def test_the_table_has_a_row_for_each_feature() -> None:
    lines = as_markdown(CORE.features).splitlines()
    assert len(lines) == 2 + len(CORE.features)
    assert lines[2] == "| return_1 | momentum | close over close 1 session ago, less 1 | 2 | Jegadeesh (1990) |"
    assert all(line.count("|") == 6 for line in lines)


if __name__ == "__main__":
    prose, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(f"{sized(prose)}{mark}\n{catalogue()}", encoding="utf-8")
