from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, SESSION, SYMBOL, VALUE
from stock_pipeline.core.reports import DEBT, EQUITY, NET_INCOME, OPERATING_INCOME, QUARTER, REVENUE, SHARES, YEAR
from stock_pipeline.features.fundamental_ratios import RATIOS, as_traded
from stock_pipeline.market_data.tables import BASIS, CURRENCY, DIVIDEND, INSTRUMENT, ITEM, RAW, SPLIT, SPLIT_ADJUSTED
from stock_pipeline_tests.factories.company_reports import COMPANY, ENDS, ENDS_BEFORE, NIGHT, known, one, ratios, series, splits
from stock_pipeline_tests.harness.ratios_of_a_night import fundamental_ratios, restate_shares


def test_the_ratios_of_a_company_as_worked_by_hand() -> None:
    assert ratios(COMPANY) == pytest.approx(
        {
            "market_value": 10 * 100,
            "pe": 1000 / 50,
            "pb": 1000 / 250,
            "roe": 50 / 250,
            "operating_margin": 80 / 400,
            "net_margin": 50 / 400,
            "revenue_growth": 100 / 80 - 1,
            "debt_to_equity": 100 / 250,
        }
    )


def test_every_symbol_of_either_frame_has_one_row_in_order() -> None:
    closes = pl.DataFrame({SYMBOL: ["Z", "A"], CLOSE: [1.0, 10.0]})
    found = fundamental_ratios(known([*COMPANY, *series(NET_INCOME, [7.0], [ENDS[0]], YEAR, symbol="M")]), closes, NIGHT, "USD")
    assert found.schema == pl.Schema({SYMBOL: pl.String} | dict.fromkeys(RATIOS, pl.Float64))
    assert found[SYMBOL].to_list() == ["A", "M", "Z"]
    assert found.filter(pl.col(SYMBOL) != "A").select(*RATIOS).null_count().row(0) == (2,) * len(RATIOS)


def test_companies_do_not_mix() -> None:
    other = series(NET_INCOME, [1.0, 2.0, 3.0, 4.0], symbol="B") + series(EQUITY, [20.0], [ENDS[-1]], symbol="B")
    closes = pl.DataFrame({SYMBOL: ["A", "B"], CLOSE: [10.0, 1.0]})
    found = fundamental_ratios(known([*COMPANY, *other]), closes, NIGHT, "USD")
    assert found["roe"].to_list() == pytest.approx([0.2, 10 / 20])


def test_without_anything_there_are_no_rows() -> None:
    closes = pl.DataFrame(schema={SYMBOL: pl.String, CLOSE: pl.Float64})
    assert fundamental_ratios(known([]), closes, NIGHT, "USD").is_empty()


@pytest.mark.parametrize("session", [ENDS[-1], NIGHT])
def test_what_ends_after_the_session_is_ignored(session: date) -> None:
    later = date(2016, 3, 31)
    future = [row for item in (REVENUE, NET_INCOME, EQUITY, DEBT, SHARES) for row in one(item, 1e6, later)]
    assert ratios([*COMPANY, *future], session=session) == ratios(COMPANY, session=session)
    assert ratios([*COMPANY, *future], session=later) != ratios(COMPANY, session=later)
    nobody = pl.DataFrame(schema={SYMBOL: pl.String, CLOSE: pl.Float64})
    stranger = fundamental_ratios(known([("B", later, QUARTER, EQUITY, 1.0)]), nobody, session, "USD")
    assert stranger.is_empty()


def test_the_last_four_quarters_are_summed() -> None:
    quarters = series(NET_INCOME, [100.0, 100.0, 100.0, 100.0], ENDS_BEFORE) + series(NET_INCOME, [1.0, 2.0, 3.0, 4.0])
    assert ratios([*quarters, *one(EQUITY, 100.0)])["roe"] == pytest.approx(10 / 100)


@pytest.mark.parametrize(
    ("last", "consecutive"),
    [(date(2015, 12, 18), False), (date(2015, 12, 19), True), (date(2016, 1, 8), True), (date(2016, 1, 9), False)],
    ids=["79 days", "80 days", "100 days", "101 days"],
)
def test_quarters_follow_each_other_within_80_to_100_days(last: date, consecutive: bool) -> None:
    rows = [*series(NET_INCOME, [1.0, 2.0, 3.0, 4.0], [*ENDS[:3], last]), *one(EQUITY, 100.0)]
    assert ratios(rows).get("roe") == (pytest.approx(0.1) if consecutive else None)


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_a_missing_quarter_leaves_the_latest_year(gap: int) -> None:
    ends = [ENDS_BEFORE[-1], *ENDS]
    quarters = [row for index, row in enumerate(series(NET_INCOME, [9.0] * 5, ends)) if index != gap]
    year = [*one(NET_INCOME, 40.0, date(2014, 12, 31), YEAR), *one(NET_INCOME, 30.0, date(2015, 9, 30), YEAR)]
    assert ratios([*quarters, *one(EQUITY, 100.0)]).get("roe") is None
    assert ratios([*quarters, *year, *one(EQUITY, 100.0)])["roe"] == pytest.approx(0.3)


def test_quarters_before_a_missing_one_count_while_they_are_the_last_twelve_months_known() -> None:
    rows = [*series(NET_INCOME, [1.0, 2.0, 3.0, 4.0]), *one(NET_INCOME, 100.0, date(2016, 6, 30)), *one(EQUITY, 100.0)]
    assert ratios(rows, session=date(2016, 8, 1))["roe"] == pytest.approx(0.1)


def test_of_quarters_and_a_year_the_one_that_ends_last_counts_and_the_quarters_when_both_end_together() -> None:
    rows = [*series(NET_INCOME, [1.0, 2.0, 3.0, 4.0]), *one(EQUITY, 100.0)]
    for order in ([*rows, *one(NET_INCOME, 11.0, period=YEAR)], [*one(NET_INCOME, 11.0, period=YEAR), *rows]):
        assert ratios(order)["roe"] == pytest.approx(0.10)
    assert ratios([*rows, *one(NET_INCOME, 11.0, date(2016, 1, 31), YEAR)])["roe"] == pytest.approx(0.11)
    assert ratios([*rows, *one(NET_INCOME, 11.0, date(2015, 11, 30), YEAR)])["roe"] == pytest.approx(0.10)


def test_both_amounts_of_a_margin_are_of_the_same_twelve_months() -> None:
    revenue = [*one(REVENUE, 200.0, date(2014, 12, 31), YEAR), *one(REVENUE, 500.0, date(2015, 12, 31), YEAR)]
    income = one(NET_INCOME, 20.0, date(2014, 12, 31), YEAR)
    assert ratios(revenue + income)["net_margin"] == pytest.approx(20 / 200)
    of_quarters = series(NET_INCOME, [10.0] * 4)  # with no quarters of revenue to go with them
    assert ratios([*revenue, *income, *of_quarters])["net_margin"] == pytest.approx(20 / 200)


@pytest.mark.parametrize(("session", "fresh"), [(date(2017, 3, 31), True), (date(2017, 4, 1), False)])
def test_what_is_older_than_fifteen_months_says_nothing_any_more(session: date, fresh: bool) -> None:
    assert ratios(COMPANY, session=session) == (ratios(COMPANY) if fresh else {})
    years = [(symbol, end, YEAR, item, value) for symbol, end, _, item, value in COMPANY if end == ENDS[-1]]
    assert ("net_margin" in ratios(years, session=session)) is fresh


def test_balances_are_the_latest_of_their_kind() -> None:
    older = [row for item in (EQUITY, DEBT, SHARES) for row in one(item, 1.0, ENDS[0])]
    assert ratios([*COMPANY, *older]) == ratios(COMPANY)
    found = ratios([*COMPANY, *one(EQUITY, 500.0, date(2016, 1, 31), YEAR)])
    assert found["pb"] == pytest.approx(1000 / 500)
    assert found["debt_to_equity"] == pytest.approx(100 / 250)  # both of one day


def test_debt_and_equity_of_one_day_may_come_from_a_quarter_and_a_year() -> None:
    assert ratios([*one(DEBT, 1.0, period=YEAR), *one(EQUITY, 4.0)]) == {"debt_to_equity": 0.25}
    both = [*one(EQUITY, 2.0, period=YEAR), *one(EQUITY, 4.0)]
    assert ratios(one(DEBT, 1.0) + both) == ratios(one(DEBT, 1.0) + both[::-1]) == {"debt_to_equity": 0.25}


@pytest.mark.parametrize("income", [0.0, -40.0])
def test_without_earnings_there_is_no_price_to_earnings(income: float) -> None:
    found = ratios([*one(NET_INCOME, income, period=YEAR), *one(SHARES, 10.0), *one(EQUITY, 100.0), *one(REVENUE, 80.0, period=YEAR)])
    assert found == pytest.approx({"market_value": 100.0, "pb": 1.0, "roe": income / 100, "net_margin": income / 80})


@pytest.mark.parametrize("equity", [0.0, -5.0])
def test_without_equity_there_is_no_ratio_to_it(equity: float) -> None:
    earlier = one(EQUITY, 50.0, ENDS[0]) + one(DEBT, 50.0, ENDS[0])
    found = ratios([row for row in COMPANY if row[3] != EQUITY] + one(EQUITY, equity) + earlier)
    assert sorted(set(ratios(COMPANY)) - set(found)) == ["debt_to_equity", "pb", "roe"]


@pytest.mark.parametrize("revenue", [0.0, -1.0])
def test_without_revenue_there_is_no_margin_and_no_growth(revenue: float) -> None:
    year, before = date(2015, 12, 31), date(2014, 12, 31)
    rows = [*one(REVENUE, revenue, year, YEAR), *one(NET_INCOME, 5.0, year, YEAR), *one(OPERATING_INCOME, 5.0, year, YEAR)]
    assert ratios([*rows, *one(REVENUE, 10.0, before, YEAR)]) == {}
    assert ratios([*one(REVENUE, 10.0, year, YEAR), *one(REVENUE, revenue, before, YEAR)]) == {}


@pytest.mark.parametrize("close", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_without_a_price_nothing_is_said_of_value(close: float | None) -> None:
    assert sorted(set(ratios(COMPANY)) - set(ratios(COMPANY, close))) == ["market_value", "pb", "pe"]


@pytest.mark.parametrize("shares", [0.0, -1.0])
def test_without_shares_nothing_is_said_of_value(shares: float) -> None:
    assert ratios(one(SHARES, shares)) == {}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_figure_that_is_not_finite_is_not_known(value: float | None) -> None:
    assert ratios([*one(SHARES, 10.0, ENDS[0]), *series(SHARES, [value], [ENDS[-1]])]) == {"market_value": 100.0}


@pytest.mark.parametrize(
    ("before", "known_then"),
    [
        (date(2014, 12, 10), False),
        (date(2014, 12, 11), True),
        (date(2015, 1, 20), True),
        (date(2015, 1, 21), False),
    ],
)
def test_growth_compares_with_a_period_that_ended_a_year_before_within_20_days(before: date, known_then: bool) -> None:
    rows = [*one(REVENUE, 110.0), *one(REVENUE, 100.0, before)]
    assert ratios(rows) == (pytest.approx({"revenue_growth": 0.1}) if known_then else {})


def test_growth_takes_the_nearest_end_of_the_year_before() -> None:
    rows = [*one(REVENUE, 110.0), *one(REVENUE, 100.0, date(2014, 12, 28)), *one(REVENUE, 55.0, date(2014, 12, 13))]
    assert ratios(rows)["revenue_growth"] == pytest.approx(0.1)


def test_growth_compares_quarters_with_quarters_and_years_with_years() -> None:
    quarter, year = one(REVENUE, 110.0), one(REVENUE, 600.0, period=YEAR)
    year_before = one(REVENUE, 400.0, ENDS_BEFORE[-1], YEAR)
    assert ratios(quarter + year_before) == {}
    assert ratios(quarter + year + year_before)["revenue_growth"] == pytest.approx(0.5)
    quarter_before = one(REVENUE, 100.0, ENDS_BEFORE[-1])
    assert ratios(year + quarter + year_before + quarter_before)["revenue_growth"] == pytest.approx(0.1)
    assert ratios(quarter + year + quarter_before + year_before)["revenue_growth"] == pytest.approx(0.1)


@pytest.mark.parametrize("last", [ENDS[3], ENDS[1]])
def test_growth_is_that_of_the_last_period_or_none(last: date) -> None:
    rows = [*one(REVENUE, 130.0, ENDS[1]), *one(REVENUE, 100.0, ENDS_BEFORE[1]), *one(REVENUE, 500.0, last)]
    assert ratios(rows[:-1])["revenue_growth"] == pytest.approx(0.3)
    assert ratios(rows if last == ENDS[3] else rows[1:]) == ({} if last == ENDS[3] else {"revenue_growth": pytest.approx(4.0)})


def test_a_last_quarter_that_cannot_be_compared_leaves_the_growth_of_the_last_year() -> None:
    years = [*one(REVENUE, 600.0, ENDS[1], YEAR), *one(REVENUE, 400.0, ENDS_BEFORE[1], YEAR)]
    assert ratios([*years, *one(REVENUE, 9.0)])["revenue_growth"] == pytest.approx(0.5)
    assert ratios([*years, *one(REVENUE, 9.0), *one(REVENUE, 900.0, ENDS[3], YEAR)]) == {}


@pytest.mark.parametrize(("told_in", "lacking"), [("EUR", ["pb", "pe"]), ("USD", []), (None, [])])
def test_reports_in_another_currency_say_nothing_of_the_price(told_in: str | None, lacking: list[str]) -> None:
    found = ratios(COMPANY, told_in=told_in)
    assert found == {name: value for name, value in ratios(COMPANY).items() if name not in lacking}
    assert sorted(set(ratios(COMPANY)) - set(found)) == lacking


def test_the_currency_of_a_number_of_shares_says_nothing() -> None:
    told = known(COMPANY, "USD").with_columns(pl.when(pl.col(ITEM) == SHARES).then(pl.lit("EUR")).otherwise(CURRENCY).alias(CURRENCY))
    closes = pl.DataFrame({SYMBOL: ["A"], CLOSE: [10.0]})
    assert fundamental_ratios(told, closes, NIGHT, "USD").row(0, named=True) == {SYMBOL: "A"} | ratios(COMPANY)


def test_money_of_two_currencies_is_not_mixed() -> None:
    later = [*one(EQUITY, 100.0, date(2016, 1, 31)), *one(SHARES, 100.0, date(2016, 1, 31))]
    told = pl.concat([known(COMPANY, "EUR"), known(later, "USD")])
    closes = pl.DataFrame({SYMBOL: ["A"], CLOSE: [10.0]})
    found = fundamental_ratios(told, closes, NIGHT, "USD").row(0, named=True)
    assert {name: value for name, value in found.items() if value is not None} == {SYMBOL: "A", "pb": 10.0, "market_value": 1000.0}
    undated = pl.concat([known(COMPANY), known(later, "USD")])
    with_all = fundamental_ratios(undated, closes, NIGHT, "USD").row(0, named=True)
    assert with_all == {SYMBOL: "A"} | ratios([*COMPANY, *later])  # what tells no currency is in the company's


def test_the_currency_of_reports_that_are_too_old_says_nothing_any_more() -> None:
    old = known(one(EQUITY, 1.0, date(2014, 6, 30)), "EUR")
    closes = pl.DataFrame({SYMBOL: ["A"], CLOSE: [10.0]})
    found = fundamental_ratios(pl.concat([old, known(COMPANY)]), closes, NIGHT, "USD")
    assert found.row(0, named=True) == {SYMBOL: "A"} | ratios(COMPANY)


@pytest.mark.parametrize(
    ("ex_session", "kind", "expected"),
    [
        (date(2016, 1, 15), SPLIT, 100.0),  # after the period, before the report, which counts the new shares
        (date(2016, 2, 10), SPLIT, 100.0),  # told on the evening of the day
        (date(2016, 2, 11), SPLIT, 400.0),
        (NIGHT, SPLIT, 400.0),
        (date(2016, 3, 2), SPLIT, 100.0),
        (date(2016, 2, 11), DIVIDEND, 100.0),
    ],
)
def test_shares_are_restated_for_splits_after_the_night_that_told_them(ex_session: date, kind: str, expected: float) -> None:
    told = known([*one(SHARES, 100.0), *one(EQUITY, 50.0)]).with_columns(pl.lit(date(2016, 2, 10)).alias(KNOWN_FROM))
    found = restate_shares(told, splits((ex_session, kind, 4.0)), NIGHT)
    assert dict(found.select(ITEM, VALUE).iter_rows()) == {SHARES: expected, EQUITY: 50.0}


@pytest.mark.parametrize(
    ("basis", "ratios_told", "expected"),
    [
        (RAW, [2.0], [10.0, 10.0]),
        (SPLIT_ADJUSTED, [2.0], [None, 10.0]),
        (SPLIT_ADJUSTED, [], [10.0, 10.0]),
        (SPLIT_ADJUSTED, [1.0], [10.0] * 2),
    ],
)
def test_a_close_adjusted_for_a_later_split_is_not_the_price_of_its_session(
    basis: str, ratios_told: list[float], expected: list[float | None]
) -> None:
    days = [date(2016, 2, 29), NIGHT]
    closes = pl.DataFrame({SYMBOL: "B", INSTRUMENT: "A", SESSION: days, CLOSE: 10.0, BASIS: basis})
    told = splits(*((NIGHT, SPLIT, ratio) for ratio in ratios_told), (NIGHT, DIVIDEND, 3.0)).rename({SYMBOL: INSTRUMENT})
    found = as_traded(closes, told)
    assert found.columns == closes.columns
    assert found[CLOSE].to_list() == expected
