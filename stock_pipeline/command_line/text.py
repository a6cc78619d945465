"""Text made fit for a terminal: control characters are escaped, and long values are shortened. Needs no library."""

import unicodedata
from typing import Final

SPACES: Final = frozenset("\t\n\v\f\r\x85\u2028\u2029")
UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, formats such as the turn of the writing, halves of characters
LONGEST_WORD, LONGEST_SENTENCE = 300, 4_000
WORD_HEAD, WORD_TAIL = 60, 20


def plain(text: object) -> str:
    r"""The text in one line without control characters: a line break becomes a space, an escape is written ``\x1b``."""
    return "".join(map(_seen, str(text)))


def sentence(text: object) -> str:
    """The text as ``plain``, each word of more than 300 characters and the whole above 4,000 shortened in the middle."""
    words = (shortened(word, LONGEST_WORD, WORD_HEAD, WORD_TAIL) for word in plain(text).split(" "))
    return shortened(" ".join(words), LONGEST_SENTENCE, LONGEST_SENTENCE // 2, LONGEST_SENTENCE // 4)


def shortened(text: str, longest: int, head: int, tail: int) -> str:
    """The text; where it is longer than ``longest``, its head and its tail with its length between them.

    Args:
        text: any text.
        longest: characters up to which it stays as it is.
        head: characters kept of the beginning of a longer text.
        tail: characters kept of its end.
    """
    return text if len(text) <= longest else f"{text[:head]}...({len(text):,} characters)...{text[-tail:]}"


def is_control(character: str) -> bool:
    """Whether it is a control character, or a lone surrogate."""
    return unicodedata.category(character) in {"Cc", "Cs"}


def _seen(character: str) -> str:
    if character in SPACES:
        return " "
    if unicodedata.category(character) not in UNSEEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
