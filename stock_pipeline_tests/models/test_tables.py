import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.explanations import importances
from stock_pipeline.models.metrics import metrics_by_part
from stock_pipeline.models.tables import FEATURE_IMPORTANCE, MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES, TRIALS
from stock_pipeline_tests.factories.training_panels import FEATURES, panel, plan_of, train_here


def test_what_a_training_says_fits_its_tables() -> None:
    rows = panel(symbols=5, count=200)
    plan = plan_of(model_entry("spline_ridge"), rows, min_train=120, trials=2)
    trained = train_here(plan, rows)
    names = pl.lit("id").alias(TRAINING_ID), pl.lit("m").alias(MODEL), pl.lit(rows["session"].max()).alias(AS_OF)
    said = trained.out_of_fold.with_columns(names)
    assert OUT_OF_FOLD_PREDICTIONS.validate(said.drop(AS_OF)).height == trained.out_of_fold.height > 0
    scores = metrics_by_part(trained.out_of_fold, trained.in_sample).with_columns(names)
    assert MODEL_METRICS.validate(scores).height == 13 * 7
    explained = trained.explained.with_columns(names)
    assert SHAP_VALUES.validate(explained.drop(AS_OF)).height == 500 * len(FEATURES)
    assert FEATURE_IMPORTANCE.validate(importances(trained.explained).with_columns(names)).height == len(FEATURES)
    assert TRIALS.validate(trained.trials.with_columns(names)).height == 2
