"""How models are trained."""

from typing import Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share
from stock_pipeline.settings.lists import NamesOrAll


class ModelSettings(Section):
    """How models are trained."""

    names: NamesOrAll = Field(
        None, description="models that are trained and that the stack weighs, as a list; all of the catalogue when left out"
    )
    seed: int = Field(7, ge=0, description="random seed")
    threads: int = Field(
        2, ge=1, le=1024, description="threads of a training, one for each fit side by side; of these there are at most one more than folds"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="where models are trained: `cpu`, `cuda`, or `auto`, which takes a GPU where there is one; they predict on the CPU",
    )
    tuning_trials: int = Field(
        1, ge=1, description="sets of parameters to try for each model before it is trained; 1 keeps those of the catalogue"
    )
    suspicious_rank_ic: Share = Field(
        0.1,
        description="rank IC out of fold above which, unless luck explains it, a model is taken for one with look-ahead, and is not used",
    )
