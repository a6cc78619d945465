"""Choosing the device of a training: a GPU that torch and the model's own library see, else on the CPU."""

from collections.abc import Callable

from stock_pipeline.core.errors import InputError
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Device
from stock_pipeline.models.estimators.gpu import torch_obstacle


def device_for(entry: ModelEntry, wanted: str, report_progress: Callable[[str], None]) -> Device:
    """The device for a model; the reason is reported where it cannot use the GPU that there is.

    Args:
        wanted: auto, cpu or cuda.

    Raises:
        InputError: a GPU is asked for and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    missing = torch_obstacle()
    if missing is not None:
        if wanted == "cuda":
            raise InputError(f"models.device is 'cuda', but {missing}; set it to auto or cpu")
        return "cpu"
    obstacle = entry.gpu_obstacle()
    if obstacle is not None:
        report_progress(f"on the CPU: {obstacle}")
        return "cpu"
    return "cuda"
