from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.orchestration.reporting import LETTERS_OF_A_LINE
from stock_pipeline.portfolio.assets import SHOWN
from stock_pipeline.portfolio.charts import suggestion_bars
from stock_pipeline.portfolio.profiles import chosen_profiles
from stock_pipeline.portfolio.suggest import suggest_stocks
from stock_pipeline_tests.harness.figures import assert_legible, watched, written
from stock_pipeline_tests.portfolio.test_suggest import candidates

PNG = b"\x89PNG\r\n\x1a\n"


def suggested(rows: pl.DataFrame, *profiles: str) -> pl.DataFrame:
    every = pl.concat([suggest_stocks(rows, chosen_profiles(name)[0]) for name in profiles])
    return every.with_columns(session=pl.lit(date(2020, 3, 5)))


def test_a_picture_of_one_profile_among_several() -> None:
    both = suggested(candidates(200), "default", "aggressive")
    assert suggestion_bars(both, "default").startswith(PNG)
    assert suggestion_bars(both, "default") != suggestion_bars(both, "aggressive")


def test_bars_fill_their_axis_and_the_figures_of_each_stock_stand_beside_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    both = suggested(candidates(300), "default", "conservative")
    content = suggestion_bars(both, "conservative", count=12)
    (figure,) = saved
    assert_legible(figure, content)
    bars, beside = figure.axes
    first = both.filter(pl.col("profile") == "conservative").sort("rank").head(12)
    longest = 100 * float(first["weight"].to_numpy().max())
    assert longest < bars.get_xlim()[1] <= 1.3 * longest
    assert [bar.get_width() for bar in bars.patches] == pytest.approx((100 * first["weight"]).to_list())  # type: ignore[attr-defined]
    assert [label.get_text() for label in bars.get_yticklabels()] == first["symbol"].to_list()
    assert (bars.get_xlabel(), bars.get_ylim()) == ("weight, %", beside.get_ylim())
    seen = set(written(figure))
    heights = {text.get_text(): text.get_position()[1] for text in beside.texts}
    for place, row in enumerate(first.iter_rows(named=True)):
        assert heights[row["name"]] == place
        assert {f"{row['volatility']:.0%}", f"{row['total_score']:.2f}", row["sector"] or "unknown"} <= seen
        assert f"{row['symbol']} {100 * row['weight']:.1f}%" in alternative_text(content)
    assert figure.get_suptitle().endswith("conservative after the close of 2020-03-05, best first: the first 12 of 20")


def test_names_that_would_upset_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    odd = candidates(20).with_columns(name=pl.lit("Cash $ & $ {Sons} _^ of the Greater North West"), sector=pl.lit(None, pl.String))
    content = suggestion_bars(suggested(odd, "aggressive"), "aggressive")
    assert content.startswith(PNG)
    assert_legible(saved[0], content)


def test_a_profile_without_suggestions() -> None:
    nothing = suggestion_bars(suggested(candidates(0), "default"), "default")
    assert nothing.startswith(PNG)
    assert alternative_text(nothing) == "No stock suits the profile default"


def test_a_stock_is_one_line_of_the_table_in_the_web_ui() -> None:
    shown = suggested(candidates(200), "default").select(SHOWN)
    assert {"rank", "symbol", "weight", "total_score"} <= set(shown.columns)
    longest = shown.select(pl.selectors.string().str.len_chars().max())
    assert shown.width <= 8 and max(longest.row(0)) <= LETTERS_OF_A_LINE
