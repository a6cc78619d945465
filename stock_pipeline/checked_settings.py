"""The settings that commands and Dagster start with: loaded, and checked against catalogues and file system."""

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.catalogue import source_entry
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.settings import Settings, load_settings, place_of


def checked_settings() -> Settings:
    """The settings as file and environment have them now.

    Raises:
        InputError: a value cannot be used, the data directory is a file, or a source or a model is not in its catalogue; the sentence names
            the place.
    """
    settings = load_settings()
    if settings.home.exists() and not settings.home.is_dir():
        raise InputError(f"{place_of('home')}: field home is {str(settings.home)!r}, which is a file; give a directory")
    named = [
        ("source.name", settings.source.name, source_entry),
        *(("source.fallbacks", name, source_entry) for name in settings.source.fallbacks),
        *(("models.names", name, model_entry) for name in settings.models.names or ()),
    ]
    for setting, name, look_up in named:
        try:
            look_up(name)
        except InputError as error:
            raise InputError(f"{place_of(setting)}: field {setting}: {error}") from error
    return settings
