"""The checks of a model's scores: that none is too good to be true, and that they tell stocks apart."""

from collections.abc import Mapping
from typing import Final

from stock_pipeline.core.columns import AS_OF, METRIC, MODEL, RANK_IC, TOLD_APART_SHARE, TRAINING_ID, VALUE
from stock_pipeline.core.scores import NEARLY_EVERY, is_plausible, tells_stocks_apart
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.models.metrics import overall
from stock_pipeline.models.tables import MODEL_METRICS, NUMBER, TRAININGS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck
from stock_pipeline.storage.reading import Selection

PLAUSIBLE_IC: Final = "plausible_ic"
TELLS_STOCKS_APART: Final = "tells_stocks_apart"
REMEDY: Final = "look for a feature or label that knows the future; if the model is right, raise models.suspicious_rank_ic"
NO_ORDER: Final = "no version is made active of it, and it is not traded; bring in more history or other features, or disable the model"
NOTHING: Final = CheckOutcome(True, {"note": "nothing to judge"})


def _judge_scores(context: StageContext) -> dict[str, CheckOutcome]:
    """Whether the model's latest training is plausible without look-ahead, and whether it tells stocks apart."""
    model = context.asset.split("/")[1]
    with context.stores.shared_reader("ml"):
        held = context.read(TRAININGS, Selection(equals={MODEL: [model]})).sort(AS_OF, NUMBER).tail(1)
        if held.is_empty():
            return dict.fromkeys((PLAUSIBLE_IC, TELLS_STOCKS_APART), NOTHING)
        scores = context.read(MODEL_METRICS, Selection(equals={TRAINING_ID: held[TRAINING_ID].to_list()}))
    metrics = dict(overall(scores).select(METRIC, VALUE).iter_rows())
    betrays = target_kind(held["target"][0]).betrays_leaks
    return {
        PLAUSIBLE_IC: _plausible(metrics, context.settings.models.suspicious_rank_ic) if betrays else NOTHING,
        TELLS_STOCKS_APART: _apart(metrics),
    }


def _plausible(metrics: Mapping[str, float | None], limit: float) -> CheckOutcome:
    passed = is_plausible(metrics, limit)
    shown = _rounded(metrics, RANK_IC, "rank_ic_t")
    return CheckOutcome(passed, {**shown, "suspicious_rank_ic": limit} | ({} if passed else {"remedy": REMEDY}))


def _apart(metrics: Mapping[str, float | None]) -> CheckOutcome:
    passed = tells_stocks_apart(metrics)
    shown = _rounded(metrics, TOLD_APART_SHARE)
    return CheckOutcome(passed, {**shown, "least_share": NEARLY_EVERY} | ({} if passed else {"consequence": NO_ORDER}))


def _rounded(metrics: Mapping[str, float | None], *names: str) -> dict[str, float]:
    return {name: round(value, 4) for name in names if (value := metrics.get(name)) is not None}


SOUND_SCORES: Final = StageCheck(
    (
        CheckSpec(
            PLAUSIBLE_IC,
            "The rank IC out of fold is none that only knowledge of the future explains (models.suspicious_rank_ic).",
            blocking=True,
        ),
        CheckSpec(
            TELLS_STOCKS_APART,
            "The scores out of fold differ among the stocks of nearly every session; a version of a constant is not made active.",
            warns=True,
        ),
    ),
    _judge_scores,
)
