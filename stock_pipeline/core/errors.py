"""Errors that users meet. Each message is one sentence that names the value, its place and the remedy."""


class StockPipelineError(Exception):
    """Base of every error raised on purpose."""


class InputError(StockPipelineError):
    """The user gave something that cannot be used: a file, a setting, a name, a date. Exit code 2, nothing written."""


class SchemaError(StockPipelineError):
    """A frame, or what is stored, does not fit the schema of its table."""


class RefusedWriteError(StockPipelineError):
    """A write was refused to protect what is stored: the payload is empty or has shrunk."""


class StoreBusyError(StockPipelineError):
    """Another process held the store for longer than we were willing to wait."""


class StoreDamagedError(StockPipelineError):
    """The file of a store cannot be opened or read."""


class ArtefactError(StockPipelineError):
    """A model artefact is missing or is not the one that was written."""
