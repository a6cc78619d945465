"""Whether torch can use a GPU here, which also decides whether there is one at all."""


def torch_obstacle() -> str | None:
    """Why torch cannot compute on a GPU here, None where it can."""
    import torch

    if torch.cuda.is_available():
        return None
    return "torch sees no GPU" if torch.version.cuda is not None else "this build of torch computes on the CPU alone"
