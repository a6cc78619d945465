"""Text on its way to a terminal: nothing in it is obeyed, nothing in it is endless."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.command_line.text import LONGEST_SENTENCE, plain, sentence


@given(st.text())
def test_no_control_character_is_left_and_the_rest_stays(text: str) -> None:
    told = plain(text)
    assert not [character for character in told if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    if text.isprintable():
        assert told == text


def test_what_was_there_can_still_be_read() -> None:
    assert plain("a\x1b[31mb\x00\u202ec\nd\te") == "a\\x1b[31mb\\x00\\u202ec d e"


@given(st.text(st.characters(categories=["L"]), min_size=301, max_size=5_000))
def test_a_huge_value_is_shortened_with_its_length_and_what_follows_it_stays(value: str) -> None:
    told = sentence(f"--path {value} matches no file")
    assert value[:20] in told and f"{len(value):,}" in told and len(told) < 200
    assert told.endswith("matches no file")


def test_a_sentence_without_end_keeps_its_beginning_and_its_end() -> None:
    told = sentence("first " + "word " * 10_000 + "last")
    assert told.startswith("first") and told.endswith("last") and len(told) < LONGEST_SENTENCE
