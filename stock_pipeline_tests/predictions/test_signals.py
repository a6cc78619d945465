from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.errors import InputError, SchemaError
from stock_pipeline.predictions.signals import signals
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNALS

TONIGHT, TOMORROW = date(2020, 3, 5), date(2020, 3, 6)


def predictions(scores: list[float], session: date = TONIGHT, training_id: str = "t1") -> pl.DataFrame:
    frame = pl.DataFrame({"symbol": [f"S{i:03d}" for i in range(len(scores))], "score": scores}, schema_overrides={"score": pl.Float64})
    return DAILY_PREDICTIONS.validate(
        frame.with_columns(
            session=pl.lit(session),
            model=pl.lit("ridge"),
            training_id=pl.lit(training_id),
            version=7,
            rank=pl.col("score").rank("ordinal", descending=True),
            predicted_excess_return=pl.lit(None, pl.Float64),
            predicted_volatility=pl.lit(None, pl.Float64),
            probability_up=pl.lit(None, pl.Float64),
        )
    )


def of(frame: pl.DataFrame, signal: str) -> list[str]:
    return frame.filter(pl.col("signal") == signal)["symbol"].sort().to_list()


def test_the_best_tenth_is_bought_and_the_worst_sold() -> None:
    made = signals(predictions([float(i) for i in range(20)]), TOMORROW)
    assert (of(made, "buy"), of(made, "sell")) == (["S018", "S019"], ["S000", "S001"])
    assert len(of(made, "hold")) == 16
    assert made["symbol"][0] == "S019"
    assert made["version"].unique().to_list() == [7]
    assert made["next_session"].unique().to_list() == [TOMORROW]
    assert_frame_equal(SIGNALS.validate(made), made)


@pytest.mark.parametrize(("stocks", "buys"), [(1, 0), (2, 1), (3, 1), (9, 1), (19, 1), (70, 7), (100, 10)])
def test_number_of_buys(stocks: int, buys: int) -> None:
    made = signals(predictions([float(i) for i in range(stocks)]), TOMORROW)
    assert (len(of(made, "buy")), len(of(made, "sell"))) == (buys, buys)


def test_a_share_that_floats_cannot_hold_is_not_cut_by_one() -> None:
    made = signals(predictions([float(i) for i in range(100)]), TOMORROW, share=0.29)
    assert len(of(made, "buy")) == 29


def test_a_model_that_tells_no_stocks_apart_moves_nothing() -> None:
    assert signals(predictions([0.0] * 30), TOMORROW)["signal"].unique().to_list() == ["hold"]


def test_stocks_that_tie_with_the_last_bought_or_sold_are_bought_and_sold_too_in_the_order_of_their_symbols() -> None:
    scores = [*[9.0, 8.0, 8.0, 8.0], *[float(i) / 10 for i in range(14)], -1.0, -1.0, -1.0]
    shared = predictions(scores).with_columns(pl.col("score").rank("min", descending=True).cast(pl.Int32).alias("rank"))
    made = signals(shared.sample(fraction=1, shuffle=True, seed=4), TOMORROW)
    assert (of(made, "buy"), of(made, "sell")) == (["S000", "S001", "S002", "S003"], ["S018", "S019", "S020"])
    assert made.head(4).select("symbol", "rank").rows() == [("S000", 1), ("S001", 2), ("S002", 2), ("S003", 2)]
    assert made["symbol"].tail(3).to_list() == ["S018", "S019", "S020"]


def test_a_stock_that_ties_among_both_is_held() -> None:
    made = signals(predictions([5.0, *[1.0] * 8]), TOMORROW)
    assert (of(made, "buy"), of(made, "sell"), len(of(made, "hold"))) == (["S000"], [f"S{i:03d}" for i in range(1, 9)], 0)
    both = signals(predictions([1.0, 1.0, 1.0]), TOMORROW, share=0.5)
    assert len(of(both, "hold")) == 3


def test_no_predictions_give_no_signals() -> None:
    assert_frame_equal(signals(DAILY_PREDICTIONS.empty(), TOMORROW), SIGNALS.empty())


@pytest.mark.parametrize("share", [0.0, 0.6, -1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="out of range"):
        signals(predictions([1.0, 2.0]), TOMORROW, share)


def test_mixed_trainings_and_nights_are_refused() -> None:
    scores = [1.0, 2.0, 3.0]
    for other in (predictions(scores, training_id="t2"), predictions(scores, session=TOMORROW)):
        with pytest.raises(SchemaError, match="one training on one session"):
            signals(pl.concat([predictions(scores), other]), date(2020, 3, 9))


def test_a_signal_cannot_be_filled_before_it_is_made() -> None:
    with pytest.raises(SchemaError, match="not later"):
        signals(predictions([1.0, 2.0]), TONIGHT)
