"""What the stack weighs, beside what it weighed before. Pure: trainings in, a sentence out."""

from collections.abc import Mapping

import polars as pl

from stock_pipeline.core.columns import MODEL, TRAINING_ID, VERSION


def changes_of_members(before: Mapping[str, str], after: Mapping[str, str], versions: pl.DataFrame) -> str | None:
    """The difference between the members of two stacks in words; None where there is none.

    Args:
        before: training_id of each model that the stack weighs; none where there is no stack yet.
        after: the same of the stack to come.
        versions: rows of MODEL_VERSIONS.
    """
    if before == after:
        return None
    numbers = {training: f"{model} {version}" for training, model, version in versions.select(TRAINING_ID, MODEL, VERSION).iter_rows()}

    def named(model: str, training: str) -> str:
        return numbers.get(training, f"{model} of a training without a version")

    new = [named(model, training) for model, training in after.items() if model not in before]
    changed = [
        f"{named(model, training)} in place of {named(model, before[model])}"
        for model, training in after.items()
        if before.get(model, training) != training
    ]
    gone = [named(model, training) for model, training in before.items() if model not in after]
    parts = [f"with {', '.join(new)}"] if new else []
    parts += [", ".join(changed)] if changed else []
    parts += [f"without {', '.join(gone)}"] if gone else []
    return f"it follows the active versions: {'; '.join(parts)}"
