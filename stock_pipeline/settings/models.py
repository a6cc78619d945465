"""How models are trained."""

from typing import Annotated, Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class ModelSettings(Section):
    """How models are trained."""

    names: tuple[str, ...] | None = Field(default=None, description="models to train; all of the catalogue when left out")
    seed: int = 7
    threads: Annotated[int, Field(ge=1)] = 2
    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description="where to train; auto takes a GPU where there is one")] = "auto"
    trials: Annotated[int, Field(ge=1, description="sets of parameters to try per model; 1 keeps those of the catalogue")] = 1
    suspicious_rank_ic: Annotated[Share, Field(description="a return model that scores above it is taken for a leak")] = 0.1
