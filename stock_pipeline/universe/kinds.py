"""Kinds of securities that are no common stock, told by symbol or name."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from stock_pipeline.core.columns import NAME, SYMBOL
from stock_pipeline.settings import SecurityKind

# Exchanges whose five-letter symbols end with a letter that tells the kind (Nasdaq's fifth character).
FIFTH_LETTER_EXCHANGES: Final = frozenset({"XNYS", "XNAS", "NYSE", "NASDAQ"})
_FIFTH_LETTERS: Final[dict[SecurityKind, str]] = {"warrant": "W", "right": "R", "unit": "U", "preferred": "PONM"}
# Suffixes as written by the consolidated tape, by brokers and by vendors: ABC.WS, ABC-WT, ABC/WS, ABC+, ABC.RT, ABC.U, ABC=, ABC-PA,
# ABC.PRA, ABC PRA, ABC^A, ABCpA. A class of common stock is a single letter after a point or hyphen and is none of them.
_SUFFIXES: Final[dict[SecurityKind, str]] = {
    "warrant": r"([ ./-]W(S|T|TS)?(\.?[A-Z])?|\+)$",
    "right": r"([ ./-](RT|RI|RTS?WI)|\^)$",
    "unit": r"([ ./-]U|[ ./-]UN|=)$",
    "preferred": r"([ ./-]PR?[A-Z]?|[ ./-]PR[ ./-][A-Z]|\^[A-Z]|p[A-Z]?)$",
}
_NAMES: Final[dict[SecurityKind, str]] = {
    "warrant": r"(?i)\bwarrants?\b",
    "right": r"(?i)(\brights?$|\brights? to (purchase|receive)|\bsubscription rights?\b)",
    "unit": r"(?i)(\bunits?$|\bunits?, each\b|\bunits? consisting\b)",
    "preferred": r"(?i)(\b(preferred|preference) (stock|shares?|securit|series|units?)|\bpfd\b|\bpreferred$)",
}
# A fund of preferred stock is none itself; what it issues is named after it, as in "Acme Fund, 5% Preferred Stock".
_FUND: Final = r"(?i)^.*\b(funds?|etfs?|etns?|portfolio)\b|^.*\btrust$"
_PARTNERSHIP: Final = r"(?i)\bcommon units?\b|\blimited partner|\bpartners\b|\bL\.?P\.?\b"  # whose units are its common equity


def of_kinds(listed: pl.DataFrame, kinds: Sequence[SecurityKind], exchange: str) -> pl.DataFrame:
    """The symbols of the securities that are of one of these kinds: symbol.

    A symbol tells it by the suffixes of American exchanges and vendors, and by Nasdaq's fifth letter (W warrants, R rights, U units,
    P, O, N and M preferred stock); a name by its words. Source: Nasdaq, Fifth Character Symbol Suffixes; CTA, Symbology.

    Args:
        listed: symbol and name (nullable); an earlier holder of a symbol, as GM@1962-01-02, is judged by the symbol.
        kinds: which.
        exchange: of the calendar; the fifth letter means something on American exchanges alone.
    """
    symbol, name = pl.col(SYMBOL).str.split("@").list.first(), pl.col(NAME).fill_null("")
    tests = [pl.lit(value=False)]
    for kind in kinds:
        told = (name.str.replace(_FUND, "") if kind == "preferred" else name).str.contains(_NAMES[kind])
        tests += [symbol.str.contains(_SUFFIXES[kind]), told & ~name.str.contains(_PARTNERSHIP) if kind == "unit" else told]
        if exchange in FIFTH_LETTER_EXCHANGES:
            tests.append(symbol.str.contains(f"^[A-Z]{{4}}[{_FIFTH_LETTERS[kind]}]$"))
    return listed.filter(pl.any_horizontal(tests)).select(SYMBOL).unique()
