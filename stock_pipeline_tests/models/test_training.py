from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, METRIC, MODEL, SCORE, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split, walk_forward
from stock_pipeline.datasets.training_panel import TARGET, matrix
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.scores import score_table
from stock_pipeline.models.training import fit_final, train_out_of_fold
from stock_pipeline_tests.models.made_up import FEATURES, REACH, panel
from stock_pipeline_tests.panels import sessions

DAYS = sessions(200)
ENDS = dict(zip(DAYS, DAYS[REACH:], strict=False))  # when the label of each session is known

every_model = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def splits_of(rows: pl.DataFrame) -> list[Split]:
    return walk_forward(rows[SESSION].to_list(), folds=2, reach=REACH, embargo=3, min_train=60)


def out_of_fold(entry: ModelEntry, rows: pl.DataFrame) -> pl.DataFrame:
    return train_out_of_fold(entry, rows, splits_of(rows), FEATURES, label_ends=ENDS, seed=1, threads=1)


def measures(entry: ModelEntry, rows: pl.DataFrame) -> dict[str, float]:
    return dict(score_table(out_of_fold(entry, rows)).select(METRIC, VALUE).iter_rows())


@every_model
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_gives_no_significant_rank_ic(entry: ModelEntry, seed: int) -> None:
    found = measures(entry, panel(seed=seed))
    assert abs(found["rank_ic_t"]) < 2.6
    assert abs(found["rank_ic"]) < 0.05


@every_model
def test_a_planted_signal_is_found(entry: ModelEntry) -> None:
    found = measures(entry, panel(signal=0.15))
    assert found["rank_ic"] > 0.12
    assert found["rank_ic_t"] > 5
    assert found["hit_rate_low"] > 0.5
    assert found["mae"] < found["zero_mae"]


@every_model
def test_the_future_does_not_move_a_score(entry: ModelEntry) -> None:
    rows = panel(symbols=8, signal=0.2)
    first = splits_of(rows)[0]
    altered = rows.with_columns(pl.when(pl.col(SESSION) > first.train_to).then(-pl.col(TARGET)).otherwise(TARGET).alias(TARGET))
    before, after = (out_of_fold(entry, frame).filter(pl.col(FOLD) == 1)[SCORE] for frame in (rows, altered))
    assert before.to_list() == after.to_list()


def test_each_test_row_gets_one_score_whatever_the_order_of_rows() -> None:
    rows = panel(symbols=6)
    entry = model_entry("spline_ridge")
    found = out_of_fold(entry, rows)
    assert found.columns == [MODEL, FOLD, SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN]
    expected = rows.filter(pl.col(SESSION) >= splits_of(rows)[0].test_from).select(SESSION, SYMBOL, TARGET, FORWARD_RETURN)
    assert_frame_equal(found.select(expected.columns), expected)
    assert_frame_equal(found, out_of_fold(entry, rows.sample(fraction=1.0, shuffle=True, seed=5)))


def test_each_fold_is_reported_with_its_rows() -> None:
    rows = panel(symbols=4)
    seen: list[tuple[Split, int]] = []
    found = train_out_of_fold(
        model_entry("spline_ridge"),
        rows,
        splits_of(rows),
        FEATURES,
        label_ends=ENDS,
        seed=1,
        threads=1,
        on_fold=lambda split, part: seen.append((split, part.height)),
    )
    assert [split for split, _ in seen] == splits_of(rows)
    assert sum(height for _, height in seen) == found.height


def test_a_leaking_split_is_refused_before_anything_is_fitted() -> None:
    rows = panel(symbols=4)
    good, other = splits_of(rows)
    days = rows[SESSION].unique().sort().to_list()
    leaking = replace(other, train_to=days[days.index(other.test_from) - REACH])

    def fail(_seed: int, _threads: int) -> None:
        raise AssertionError("a model was made")

    entry = replace(model_entry("spline_ridge"), make=fail)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fold 2 trains up to"):
        train_out_of_fold(entry, rows, [good, leaking], FEATURES, label_ends=ENDS, seed=1, threads=1)


def test_the_final_model_learns_from_every_row() -> None:
    rows = panel(symbols=6, signal=0.3)
    model = fit_final(model_entry("spline_ridge"), rows.reverse(), FEATURES, seed=1, threads=1)
    shorter = fit_final(model_entry("spline_ridge"), rows.head(600), FEATURES, seed=1, threads=1)
    x = matrix(rows, FEATURES)
    assert np.corrcoef(model.predict(x), rows[TARGET].to_numpy())[0, 1] > 0.2
    assert not np.array_equal(model.predict(x), shorter.predict(x))
    with pytest.raises(InputError, match="no labelled row to train spline_ridge on"):
        fit_final(model_entry("spline_ridge"), rows.clear(), FEATURES, seed=1, threads=1)
