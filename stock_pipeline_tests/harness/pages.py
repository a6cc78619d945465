"""The Python that the pages of docs/ tell people to write."""

import re
import textwrap
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"


def blocks_of(page: str) -> list[str]:
    """The Python of a page, block by block."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [textwrap.dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)]


def run_block(page: str, number: int = 0) -> dict[str, object]:
    """What a block of a page defines."""
    made: dict[str, object] = {"__name__": "a_page"}
    exec(compile(blocks_of(page)[number], page, "exec"), made)  # noqa: S102
    return made
