"""The assets of the models: one for each base model of the catalogue, and the stack of them."""

import json
from collections.abc import Callable
from dataclasses import replace

import polars as pl

from stock_pipeline import __version__
from stock_pipeline.core.columns import AS_OF, FOLD, MODEL, SESSION, SYMBOL, TRAINING_ID
from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.datasets.reading import read_training_panel
from stock_pipeline.datasets.splits import Split, splits_from_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.reading import read_label_ends
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.models.artefacts import Manifest, hash_features, training_id
from stock_pipeline.models.catalogue import CATALOGUE, STACK, ModelEntry
from stock_pipeline.models.pictures import rank_ic_picture, scores_picture
from stock_pipeline.models.recording import Training, latest_trainings, metrics_of, record
from stock_pipeline.models.scores import ALL_FOLDS, rank_ic_by_session
from stock_pipeline.models.stacking import StackedModel, stack_out_of_fold, stack_weights, widen
from stock_pipeline.models.tables import MODEL_SCORES, NUMBER, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.models.training import fit_final, train_out_of_fold
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Write
from stock_pipeline.storage.reading import Selection

TABLES = (TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_SCORES)
SHOWN_METRICS = ("rank_ic", "icir", "mae", "zero_mae", "hit_rate")


def train_model(entry: ModelEntry) -> Callable[[Night], Product | None]:
    """The body of a base model's asset: train it as of the session, unless that has been done."""

    def body(night: Night) -> Product | None:
        if night.is_up_to_date:
            return None
        splits = _splits(night)
        features = chosen_set(night.settings)
        panel = read_training_panel(night.stores, night.settings, night.as_of)
        chosen = night.settings.models
        out_of_fold = train_out_of_fold(
            entry,
            panel,
            splits,
            features.names,
            label_ends=read_label_ends(night.stores, night.as_of, night.settings.labels),
            seed=chosen.seed,
            threads=chosen.threads,
            on_fold=lambda split, _part: night.say(f"fold {split.fold} of {len(splits)}"),
        )
        night.say("final fit")
        estimator = fit_final(entry, panel, features.names, seed=chosen.seed, threads=chosen.threads)
        manifest = _manifest(night, entry.name, panel, estimator.parameters(), content_hash(panel, (SESSION, SYMBOL)))
        manifest = replace(manifest, metrics=metrics_of(out_of_fold))
        training = record(night.models_root, estimator, manifest, out_of_fold, panel[SESSION].n_unique(), _number(night, manifest))
        return _product(night, training, manifest)

    return body


def train_stack(night: Night) -> Product | None:
    """Weigh the latest trainings of the base models by their out-of-fold scores."""
    names = night.settings.models.names or [entry.name for entry in CATALOGUE]
    of_these_features = {"features_hash": [hash_features(chosen_set(night.settings).names)]}
    trainings = night.read(TRAININGS, Selection(last=night.as_of, equals=of_these_features))
    members = latest_trainings(trainings, names)
    if members.is_empty():
        raise StockPipelineError("no base model has been trained yet, so there is nothing to stack; materialise one of them first")
    chosen = dict(members.select(MODEL, TRAINING_ID).iter_rows())
    if night.is_up_to_date and _latest_members(trainings) == chosen:
        return None
    out_of_fold = night.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: list(chosen.values())}))
    wide = widen(out_of_fold)
    stacked = StackedModel(weights=stack_weights(wide, list(chosen)), members=chosen)
    own = stack_out_of_fold(wide, list(chosen), _splits(night))
    manifest = _manifest(night, STACK, wide, stacked.parameters(), json.dumps(chosen, sort_keys=True))
    manifest = replace(manifest, metrics=metrics_of(own))
    training = record(night.models_root, stacked, manifest, own, wide[SESSION].n_unique(), _number(night, manifest))
    product = _product(night, training, manifest)
    held = night.read(MODEL_SCORES, Selection(equals={TRAINING_ID: list(chosen.values()), FOLD: [ALL_FOLDS]}))
    everyone = pl.concat([held, training.scores.filter(pl.col(FOLD) == ALL_FOLDS)])
    weights = pl.DataFrame({MODEL: list(stacked.weights), "weight": list(stacked.weights.values())})
    return replace(
        product,
        pictures={**product.pictures, "models_compared": scores_picture(everyone)},
        tables={**product.tables, "weights": weights},
    )


def _splits(night: Night) -> list[Split]:
    table = night.read(WALK_FORWARD_SPLITS, Selection(last=night.as_of))
    return splits_from_table(table.filter(pl.col(AS_OF) == pl.col(AS_OF).max()))


def _latest_members(trainings: pl.DataFrame) -> dict[str, str]:
    held = latest_trainings(trainings, [STACK])
    members: dict[str, str] = json.loads(held["parameters"][0])["members"] if held.height else {}
    return members


def _manifest(night: Night, model: str, rows: pl.DataFrame, parameters: dict[str, object], data_hash: str) -> Manifest:
    """All about a training but its metrics; ``rows`` are those that the final model was fitted on."""
    names = chosen_set(night.settings).names
    features_hash = hash_features(names)
    seed, threads = night.settings.models.seed, night.settings.models.threads
    sessions = rows[SESSION].unique().sort()
    return Manifest(
        model=model,
        training_id=training_id(model, night.as_of, features_hash, data_hash, parameters, seed, __version__, _held(night, model)),
        as_of=night.as_of,
        train_from=sessions[0],
        train_to=sessions[-1],
        features=names,
        features_hash=features_hash,
        rows=rows.height,
        parameters=parameters,
        metrics={},
        seed=seed,
        threads=threads,
        code_version=__version__,
    )


def _held(night: Night, model: str) -> list[str]:
    """The names of the model's trainings in the order in which they were made."""
    trainings = night.read(TRAININGS, Selection(columns=(TRAINING_ID, NUMBER), equals={MODEL: [model]}))
    names: list[str] = trainings.sort(NUMBER)[TRAINING_ID].to_list()
    return names


def _number(night: Night, manifest: Manifest) -> int:
    held = _held(night, manifest.model)
    return 1 + (held.index(manifest.training_id) if manifest.training_id in held else len(held))


def _product(night: Night, training: Training, manifest: Manifest) -> Product:
    by_fold = training.scores.pivot(on="metric", index=FOLD, values="value").sort(FOLD)
    return Product(
        writes=(
            Write(TRAININGS, training.trainings),
            Write(OUT_OF_FOLD_PREDICTIONS, training.out_of_fold, scope=(TRAINING_ID,)),
            Write(MODEL_SCORES, training.scores, scope=(TRAINING_ID,)),
        ),
        watermark=night.as_of,
        pictures={"rank_ic_by_session": rank_ic_picture(rank_ic_by_session(training.out_of_fold), manifest.model)},
        tables={"scores_by_fold": by_fold},
        facts={
            "training_id": manifest.training_id,
            "rows": manifest.rows,
            **{name: manifest.metrics[name] for name in SHOWN_METRICS},
        },
    )


def assets(settings: Settings) -> tuple[StageAsset, ...]:
    """The assets of the models, to be trained anew where the settings choose other features or another horizon."""
    version = f"{chosen_set(settings).hash[:16]} horizon {settings.labels.horizons[0]}"
    stack = StageAsset(
        keys=(("models", STACK),),
        description="The base models' ranked scores, weighted by their out-of-fold scores and shrunk to equal weights.",
        tables=TABLES,
        depends_on=(key_of(WALK_FORWARD_SPLITS), *(("models", entry.name) for entry in CATALOGUE)),
        body=train_stack,
        kinds=("scipy",),
        rhythm="training",
        code_version=version,
    )
    return (*(_asset(entry, version) for entry in CATALOGUE), stack)


def _asset(entry: ModelEntry, version: str) -> StageAsset:
    return StageAsset(
        keys=(("models", entry.name),),
        description=entry.description,
        tables=TABLES,
        depends_on=(key_of(DAILY_FEATURES), key_of(DAILY_LABELS), key_of(WALK_FORWARD_SPLITS)),
        body=train_model(entry),
        kinds=entry.kinds,
        rhythm="training",
        code_version=version,
    )
