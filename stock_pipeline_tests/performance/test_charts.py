import polars as pl

from stock_pipeline.performance.charts import cumulative_rank_ic, cumulative_return
from stock_pipeline.performance.log import SESSION_RETURN
from stock_pipeline.performance.tables import DAILY_PERFORMANCE
from stock_pipeline_tests.factories.panels import sessions

PNG = b"\x89PNG\r\n\x1a\n"


def performance(model: str, origin: str, level: float | None, training_id: str = "t1") -> pl.DataFrame:
    return DAILY_PERFORMANCE.validate(
        pl.DataFrame({"session": sessions(15)}).with_columns(
            model=pl.lit(model),
            training_id=pl.lit(training_id),
            origin=pl.lit(origin),
            stocks=100,
            rank_ic=pl.lit(level, pl.Float64),
            sign_accuracy=pl.lit(0.5),
            long_short_return=pl.lit(0.001),
        )
    )


def test_a_line_per_model_and_origin() -> None:
    one = performance("ridge", "live", 0.02)
    several = pl.concat([one, performance("ridge", "out_of_fold", 0.03), performance("zero", "live", None)])
    assert cumulative_rank_ic(one).startswith(PNG)
    assert cumulative_rank_ic(several).startswith(PNG)
    assert cumulative_rank_ic(several) != cumulative_rank_ic(one)


def test_trainings_of_one_model_are_averaged() -> None:
    both = pl.concat([performance("ridge", "live", 0.25), performance("ridge", "live", 0.75, "t2")])
    assert cumulative_rank_ic(both) == cumulative_rank_ic(performance("ridge", "live", 0.5))


def test_no_outcomes_yet() -> None:
    assert cumulative_rank_ic(DAILY_PERFORMANCE.empty()).startswith(PNG)


def returns(model: str, level: float) -> pl.DataFrame:
    return pl.DataFrame({"session": sessions(15)}).with_columns(pl.lit(model).alias("model"), pl.lit(level).alias(SESSION_RETURN))


def test_a_line_of_returns_per_model() -> None:
    one, two = returns("lightgbm", 0.001), returns("stack", -0.001)
    assert cumulative_return(one).startswith(PNG)
    assert cumulative_return(pl.concat([two, one])) == cumulative_return(pl.concat([one, two])) != cumulative_return(one)
    assert cumulative_return(one.clear()).startswith(PNG)
