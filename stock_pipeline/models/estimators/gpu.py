"""Whether torch can use a GPU here, which also decides whether there is one at all."""

from importlib.metadata import version
from typing import Final

NO_CODE: Final = "this build of torch computes on the CPU alone"


def torch_obstacle() -> str | None:
    """Why torch cannot compute on a GPU here, None where it can."""
    if version("torch").endswith("+cpu"):  # which its package says already, and importing it takes seconds
        return NO_CODE
    import torch

    if torch.cuda.is_available():
        return None
    return "torch sees no GPU" if torch.version.cuda is not None else NO_CODE
