"""What the live predictions of every version turned out to be worth, session by session, whatever the version learnt."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from stock_pipeline.core.columns import MODEL, RANK_IC, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.scores import daily_measures
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.registry.tables import SHADOW_RESULTS

KIND: Final = "kind"
_VERSION: Final = (MODEL, VERSION, TRAINING_ID)


def session_results(predictions: pl.DataFrame, targets: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The measures of each version on each session of which an outcome is known.

    Args:
        predictions: session, symbol, model, version, training_id, score and kind.
        targets: for each kind that is among the predictions, by its name, what ``datasets.reading.read_targets`` returns.

    Returns:
        Rows of ``SHADOW_RESULTS`` in the order of its key.
    """
    made = [SHADOW_RESULTS.empty()]
    for (kind, *version), said in predictions.partition_by(KIND, *_VERSION, as_dict=True).items():
        # The order of the rows fixes that in which errors are added, so that the same rows always give the same bits.
        rows = said.join(targets[kind], on=[SESSION, SYMBOL], how="inner").sort(SESSION, SYMBOL)
        measured = daily_measures(rows, target_kind(kind).ranked_against).with_columns(
            *(pl.lit(value, SHADOW_RESULTS.dtypes[name]).alias(name) for name, value in zip(_VERSION, version, strict=True)),
            # A correlation may exceed 1 by a rounding error, which the table would refuse.
            pl.col(RANK_IC).clip(-1, 1),
        )
        made.append(measured.select(SHADOW_RESULTS.column_names))
    return pl.concat(made).sort(SHADOW_RESULTS.key)
