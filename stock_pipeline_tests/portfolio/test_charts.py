import polars as pl

from stock_pipeline.portfolio.charts import suggestion_bars
from stock_pipeline.portfolio.profiles import chosen_profiles
from stock_pipeline.portfolio.suggest import suggest_stocks
from stock_pipeline_tests.portfolio.test_suggest import candidates

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_picture_of_one_profile_among_several() -> None:
    both = pl.concat([suggest_stocks(candidates(200), chosen_profiles(name)[0]) for name in ("default", "aggressive")])
    assert suggestion_bars(both, "default").startswith(PNG)
    assert suggestion_bars(both, "default") != suggestion_bars(both, "aggressive")


def test_names_that_would_upset_the_drawing() -> None:
    odd = candidates(20).with_columns(name=pl.lit("Cash $ & $ {Sons} _^"), sector=pl.lit(None, pl.String))
    assert suggestion_bars(suggest_stocks(odd, chosen_profiles("aggressive")[0]), "aggressive").startswith(PNG)


def test_a_profile_without_suggestions() -> None:
    assert suggestion_bars(suggest_stocks(candidates(0), chosen_profiles("default")[0]), "default").startswith(PNG)
