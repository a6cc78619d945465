import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.scores import score_table_by_fold
from stock_pipeline.models.tables import MODEL_SCORES, OUT_OF_FOLD_PREDICTIONS
from stock_pipeline_tests.models.made_up import panel
from stock_pipeline_tests.models.test_training import out_of_fold


def test_predictions_and_their_scores_fit_their_tables() -> None:
    predictions = out_of_fold(model_entry("spline_ridge"), panel(symbols=5)).with_columns(pl.lit("id").alias(TRAINING_ID))
    assert OUT_OF_FOLD_PREDICTIONS.conform(predictions).height == predictions.height
    names = pl.lit("id").alias(TRAINING_ID), pl.lit("m").alias(MODEL), pl.lit(predictions["session"].max()).alias(AS_OF)
    scores = score_table_by_fold(predictions).with_columns(names)
    assert MODEL_SCORES.conform(scores).height == 3 * 10
