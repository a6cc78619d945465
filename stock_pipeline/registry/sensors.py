"""The sensor that requests a retraining of models without an undamaged active version."""

import dagster as dg

from stock_pipeline.models.catalogue import parse_models
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.training_request import TRAINING_JOB, training_request
from stock_pipeline.registry.ledger import session_reached
from stock_pipeline.registry.reading import job_at_work, models_to_mend
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores

DAMAGED_MODELS = "damaged_models"


def damaged_models(settings: Settings) -> dg.SensorDefinition:
    """A sensor that requests a retraining, once a session, of the models whose version is damaged or could not be trained."""
    wanted = settings.registry.retraining.when_damaged

    @dg.sensor(
        name=DAMAGED_MODELS,
        job_name=TRAINING_JOB,
        minimum_interval_seconds=settings.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED,
        description="Retrains models whose artefact is missing or damaged, or whose training failed and left no active version.",
    )
    def look() -> dg.RunRequest | dg.SkipReason:
        if not wanted:
            return dg.SkipReason("registry.retraining.when_damaged is false")
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        if not stores.exist:
            return dg.SkipReason("nothing has been ingested yet")
        at_work = job_at_work(stores, utc_now())
        if at_work is not None:
            return dg.SkipReason(at_work)
        found = models_to_mend(stores, [entry.name for entry in parse_models(settings.models.names or ())])
        if not found:
            return dg.SkipReason("every active version is undamaged, and no failed training left a model without one")
        return training_request(list(found), "missing", f"{DAMAGED_MODELS}-{'-'.join(found)}-{session_reached(stores)}")

    return look
