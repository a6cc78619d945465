"""Reading the results of trainings: artefacts, from which models are loaded again, and their metrics.

What is there is read only after its hashes have been checked.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl

from stock_pipeline.core.columns import METRIC, MODEL, SCORE, SESSION, SYMBOL, TARGET, TRAINING_ID, VALUE
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.catalogue import TargetKind, target_kind
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import STACK, model_entry
from stock_pipeline.models.charts import explanation_charts, rank_ic_chart
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.explanations import explain, strongest
from stock_pipeline.models.manifest import MANIFEST_FILE, Manifest
from stock_pipeline.models.metrics import OVERALL
from stock_pipeline.models.scoring import neutralised_scores
from stock_pipeline.models.stacking import StackedModel, combine
from stock_pipeline.models.tables import MODEL_METRICS, NUMBER, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES, TRAININGS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

NOT_RECORDED: Final = "no hash on record"  # which no file has
SAFE_NAME: Final = re.compile(r"[a-z0-9_]+")
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class LoadedModel:
    """A base model, loaded, with the exposures that its scores are neutralised against."""

    estimator: Estimator
    exposures: tuple[str, ...]


@dataclass(frozen=True)
class Predictor:
    """A model ready to predict: a stack with its members, or a base model, which is then the only member.

    ``calibration`` has the numbers that ``kind.predict`` needs, by name, None where one is not known; ``stack`` says how the members
    are weighed, None for a base model.
    """

    model: str
    kind: TargetKind
    calibration: Mapping[str, float | None]
    stack: StackedModel | None
    members: Mapping[str, LoadedModel]

    @property
    def window(self) -> int:
        """Sessions of features that a score rests on."""
        return max(member.estimator.window for member in self.members.values())

    @property
    def inputs(self) -> frozenset[str]:
        """The features and exposures that it must be given."""
        members = self.members.values()
        return frozenset(name for member in members for name in (*member.estimator.feature_names, *member.exposures))

    def score(self, inputs: pl.DataFrame, session: date) -> pl.DataFrame:
        """The score of every stock of a session: session, symbol and score (Float64, null where no member of a stack scores).

        ``inputs`` has symbol, session and ``self.inputs`` as models see them, of the session and as many before it as ``window`` asks for.
        """
        ordered = inputs.sort(SESSION, SYMBOL)
        rows = ordered.filter(pl.col(SESSION) == session)
        scores = rows.select(SESSION, SYMBOL).with_columns(_score_of_each(self.members, ordered, rows, session))
        return scores.rename({self.model: SCORE}) if self.stack is None else combine(scores, self.stack.weights, self.stack.scale)

    def explain(self, inputs: pl.DataFrame, session: date, count: int) -> pl.DataFrame | None:
        """The ``count`` features that moved each neutralised score of a session the most, see ``explanations.strongest``; None for a stack.

        Arguments as for ``score``; a stack is explained by its members.
        """
        if self.stack is not None:
            return None
        (member,) = self.members.values()
        ordered = inputs.sort(SESSION, SYMBOL)
        samples = Samples.of(ordered, member.estimator.feature_names)
        tonight = samples.take((ordered[SESSION] == session).to_numpy())
        return strongest(explain(member.estimator, ordered, tonight, member.exposures), count)


def load_predictor(
    folder: Path,
    manifest_sha256: str,
    recorded: Mapping[str, str],
    off: frozenset[str] = frozenset(),
    report_progress: Callable[[str], None] = lambda _note: None,
) -> Predictor:
    """Load the model of an artefact folder for prediction, after checking its artefacts against their hashes.

    A stack goes on without the members that are disabled or damaged.

    Args:
        folder: ``artefact_path`` beneath the folder of the artefacts.
        manifest_sha256: the manifest's hash as the table recorded it.
        recorded: the same of every training, by its training_id, for the members of a stack.
        off: names of the models that are disabled.
        report_progress: called with a line about each member that is damaged.

    Raises:
        ArtefactError: an artefact, or that of every member, is missing or not the one that was written.
    """
    manifest = check_artefact(folder, manifest_sha256)
    stack = load_stack(folder) if manifest.model == STACK else None
    members = (
        {manifest.model: _loaded(folder, manifest_sha256)}
        if stack is None
        else _members(folder.parents[1], stack, recorded, off, report_progress)
    )
    if stack is not None:
        stack = replace(stack, weights={name: weight for name, weight in stack.weights.items() if name in members})
    kind = target_kind(manifest.target)
    return Predictor(manifest.model, kind, {name: manifest.metrics.get(name) for name in kind.calibration}, stack, members)


def _members(
    models_root: Path, stack: StackedModel, recorded: Mapping[str, str], off: frozenset[str], report_progress: Callable[[str], None]
) -> dict[str, LoadedModel]:
    found, damage = dict[str, LoadedModel](), "every member is disabled"
    for name, training in stack.members.items():
        if name not in off:
            try:
                found[name] = _loaded(models_root / artefact_path(name, training), recorded.get(training, NOT_RECORDED))
            except ArtefactError as error:
                damage = str(error)
                report_progress(f"the stack goes on without {name}: {damage}")
    if not found:
        raise ArtefactError(f"the stack has no member left: {damage}")
    return found


def _loaded(folder: Path, manifest_sha256: str) -> LoadedModel:
    return LoadedModel(load_estimator(folder, manifest_sha256), read_manifest(folder).exposures)


def _score_of_each(members: Mapping[str, LoadedModel], ordered: pl.DataFrame, rows: pl.DataFrame, session: date) -> list[pl.Series]:
    """A column of scores for each member; what they share is made once."""
    tonight = (ordered[SESSION] == session).to_numpy()
    samples = {names: Samples.of(ordered, names).take(tonight) for names in {m.estimator.feature_names for m in members.values()}}
    outputs = {name: member.estimator.predict(samples[member.estimator.feature_names]) for name, member in members.items()}
    columns = []
    for exposures in {member.exposures: None for member in members.values()}:
        names = [name for name, member in members.items() if member.exposures == exposures]
        scores = np.column_stack([outputs[name] for name in names])
        if exposures:
            scores = neutralised_scores(scores, rows.select(exposures).to_numpy(), np.zeros(len(scores), dtype=np.int64))
        columns += [pl.Series(name, scores[:, place]) for place, name in enumerate(names)]
    return columns


def artefact_path(model: str, training_id: str) -> Path:
    """Where an artefact lies, relative to the models root.

    Raises:
        InputError: a name holds anything but lower-case letters, digits and underscores, and so might lead elsewhere.
    """
    for what, name in (("model name", model), ("training_id", training_id)):
        if not SAFE_NAME.fullmatch(name):
            raise InputError(f"{what} {name!r} cannot name a folder; use lower-case letters, digits and underscores only")
    return Path(model) / training_id


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact folder; the files that it lists are not looked at.

    Raises:
        ArtefactError: it is missing or is not a manifest.
    """
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(path.read_bytes())
        dates = {name: date.fromisoformat(content[name]) for name in ("as_of", "train_from", "train_to")}
        lists = {name: tuple(content[name]) for name in ("features", "exposures") if name in content}
        return Manifest(**(content | dates | lists))
    except FileNotFoundError as error:
        raise ArtefactError(f"{path} is missing; train the model again or restore the file from a backup") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtefactError(f"{path} is damaged; train the model again or restore the file from a backup") from error


def check_artefact(folder: Path, manifest_sha256: str | None = None) -> Manifest:
    """The manifest, once every file in the folder is the one that was written.

    Args:
        manifest_sha256: the manifest's own hash as a table recorded it; without it a manifest forged with its files would pass.

    Raises:
        ArtefactError: a file is missing, altered or not listed; the message names it.
    """
    manifest = read_manifest(folder)
    if manifest_sha256 is not None and sha256_of(folder / MANIFEST_FILE) != manifest_sha256:
        raise ArtefactError(f"{folder / MANIFEST_FILE} is not the one that was recorded; train the model again or restore it from a backup")
    present = {file.name for file in folder.iterdir()} - {MANIFEST_FILE}
    for name in sorted(present | set(manifest.files)):
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder / name} is missing; train the model again or restore the file from a backup")
        if manifest.files.get(name) != sha256_of(folder / name):
            raise ArtefactError(
                f"{folder / name} is not the file that the manifest lists; train the model again or restore it from a backup"
            )
    return manifest


def load_estimator(folder: Path, manifest_sha256: str | None = None) -> Estimator:
    """The base model of an artefact folder, checked by ``check_artefact`` first.

    Raises:
        ArtefactError: the folder is damaged, its files do not hold the model, or it holds a stack.
        InputError: the catalogue no longer has the model.
    """
    manifest = check_artefact(folder, manifest_sha256)
    if manifest.model == STACK:
        raise ArtefactError(f"{folder} holds a stack, which has no estimator; load it with load_stack")
    return _load(folder, model_entry(manifest.model).load)


def load_stack(folder: Path, manifest_sha256: str | None = None) -> StackedModel:
    """The stack of an artefact folder, checked by ``check_artefact`` first.

    Raises:
        ArtefactError: the folder is damaged or holds a base model.
    """
    manifest = check_artefact(folder, manifest_sha256)
    if manifest.model != STACK:
        raise ArtefactError(f"{folder} holds the base model {manifest.model}, not a stack; load it with load_estimator")
    return _load(folder, StackedModel.load)


def _load(folder: Path, load: Callable[[Path], Loaded]) -> Loaded:
    try:
        return load(folder)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtefactError(f"{folder} does not hold the model that its manifest describes; train the model again") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def overall_metrics(stores: Stores, trainings: Sequence[str] | None = None) -> dict[str, dict[str, float | None]]:
    """The metrics over all test sessions, by name, of each of ``trainings`` that has any; of every training where it is None."""
    chosen = OVERALL if trainings is None else {**OVERALL, TRAINING_ID: list(trainings)}
    scores = stores.read(MODEL_METRICS, Selection(equals=chosen))
    return {str(name): dict(rows.select(METRIC, VALUE).iter_rows()) for (name,), rows in scores.group_by(TRAINING_ID)}


def trainings_of(stores: Stores, model: str) -> list[str]:
    """The names of the model's trainings in the order in which they were made."""
    trainings = stores.read(TRAININGS, Selection(columns=(TRAINING_ID, NUMBER), equals={MODEL: [model]}))
    names: list[str] = trainings.sort(NUMBER)[TRAINING_ID].to_list()
    return names


def training_charts(stores: Stores, model: str, training_id: str, kind: TargetKind) -> dict[str, bytes]:
    """The charts (PNG, by name) of a training, drawn from its rows.

    Args:
        stores: the stores.
        model: its name, for titles.
        training_id: the training.
        kind: the kind of target that it learned.
    """
    chosen = Selection(equals={TRAINING_ID: [training_id]})
    daily = rank_ic_by_session(stores.read(OUT_OF_FOLD_PREDICTIONS, chosen).drop_nulls(TARGET), kind.ranked_against)
    explained = stores.read(SHAP_VALUES, chosen)
    drawn = {} if explained.is_empty() else explanation_charts(explained, model)
    return {"rank_ic_by_session": rank_ic_chart(daily, model), **drawn}
