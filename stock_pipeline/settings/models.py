"""How models are trained."""

from typing import Annotated, Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class ModelSettings(Section):
    """How models are trained."""

    names: Annotated[
        tuple[str, ...] | None,
        Field(description="models that are trained and that the stack weighs, as a list; all of the catalogue when left out"),
    ] = None
    seed: Annotated[int, Field(description="random seed")] = 7
    threads: Annotated[int, Field(ge=1, description="threads for the models")] = 2
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Field(
            description=(
                "where models are trained: `cpu`, `cuda`, or `auto`, which takes a GPU where there is one; they predict on the CPU"
            )
        ),
    ] = "auto"
    trials: Annotated[
        int, Field(ge=1, description="sets of parameters to try for each model before it is trained; 1 keeps those of the catalogue")
    ] = 1
    suspicious_rank_ic: Annotated[
        Share,
        Field(
            description=(
                "rank IC out of fold above which, unless luck explains it, a model is taken for one that knows the "
                "future, and nothing is made of it"
            )
        ),
    ] = 0.1
