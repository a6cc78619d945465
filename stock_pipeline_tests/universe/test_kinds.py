import polars as pl
import pytest

from stock_pipeline.core.columns import NAME, SYMBOL
from stock_pipeline.settings import SecurityKind
from stock_pipeline.universe.kinds import of_kinds

ALL: tuple[SecurityKind, ...] = ("warrant", "right", "unit", "preferred")


def kinds_of(symbol: str, name: str | None = None, exchange: str = "XNYS") -> list[str]:
    listed = pl.DataFrame({SYMBOL: [symbol], NAME: [name]}, schema={SYMBOL: pl.String, NAME: pl.String})
    return [kind for kind in ALL if of_kinds(listed, [kind], exchange).height]


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        *(
            (symbol, "warrant")
            for symbol in ("ABC.WS", "ABC-WS", "ABC/WS", "ABC-WT", "ABC.WS.A", "ABC-WSA", "ABC WS", "ABC+", "ABC.W", "ABCDW")
        ),
        *((symbol, "right") for symbol in ("ABC.RT", "ABC-RT", "ABC-RI", "ABC^", "ABCDR")),
        *((symbol, "unit") for symbol in ("ABC.U", "ABC-UN", "ABC/U", "ABC=", "ABCDU")),
        *(
            (symbol, "preferred")
            for symbol in ("BAC-PL", "BAC.PRL", "BAC PRL", "BAC^L", "BACpL", "BAC-P", "BAC.PR", "BAC/PR/L", "ABCDP", "ABCDO")
        ),
    ],
)
def test_a_symbol_tells_the_kind(symbol: str, kind: str) -> None:
    assert kinds_of(symbol) == [kind]


@pytest.mark.parametrize(
    "symbol", ["A", "W", "BRK.B", "BF-B", "GOOGL", "CMCSA", "BRK-A", "NWSA", "RDS.A", "WBA", "PLOW", "STAR", "REI-UN.TO", "VOD.L", "SAP.DE"]
)
def test_common_stocks_and_their_classes_stay(symbol: str) -> None:
    assert kinds_of(symbol) == []


def test_the_fifth_letter_means_something_on_american_exchanges_alone() -> None:
    assert (kinds_of("WIPRO"), kinds_of("WIPRO", exchange="XBOM")) == (["preferred"], [])
    assert kinds_of("ABC.WS", exchange="XBOM") == ["warrant"]


def test_an_earlier_holder_of_a_symbol_is_judged_by_the_symbol() -> None:
    assert kinds_of("ABC-WS@2012-01-03") == ["warrant"]
    assert kinds_of("GM@1962-01-02") == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Acme Acquisition Corp. Warrants", "warrant"),
        ("Acme Corp Warrant expiring 2027", "warrant"),
        ("Acme Acquisition Corp Rights", "right"),
        ("Acme Acquisition Corp Units", "unit"),
        ("Acme Corp Units, each consisting of one share", "unit"),
        ("Acme Corp 6.5% Cumulative Preferred Stock Series A", "preferred"),
        ("Acme Equity Fund 5% Series H Cumulative Preferred Shares", "preferred"),
        ("Acme Preferred Securities Income Fund, Series A Preferred Stock", "preferred"),
        ("Acme Capital Trust II 7% Preferred Securities", "preferred"),
        ("Depositary Shares, each of a Preferred Share of Acme", "preferred"),
    ],
)
def test_a_name_tells_the_kind(name: str, kind: str) -> None:
    assert kinds_of("ACM", name) == [kind]


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "Preferred Bank",
        "Acme Preferred Securities Fund",
        "Acme Preferred Securities and Income ETF",
        "Acme Preferred Shares Portfolio Class A",
        "Acme Preferred Securities Trust",
        "Preferred Apartment Communities",
        "Unit Corporation",
        "Wright Medical",
        "Enterprise Products Partners Common Units",
    ],
)
def test_names_that_only_look_like_it_stay(name: str | None) -> None:
    assert kinds_of("ACM", name) == []


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    listed = pl.DataFrame({SYMBOL: ["ABC.WS", "ABC.RT", "ABC"], NAME: ["a", "b", "c"]})
    assert of_kinds(listed, ["right"], "XNYS")[SYMBOL].to_list() == ["ABC.RT"]
    assert of_kinds(listed, [], "XNYS").is_empty()
    assert sorted(of_kinds(listed, ALL, "XNYS")[SYMBOL]) == ["ABC.RT", "ABC.WS"]
