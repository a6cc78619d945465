"""Finding data files inside installed packages, where they are read in place."""

from importlib.util import find_spec
from pathlib import Path

from stock_pipeline.core.errors import InputError


def packaged_file(package: str, *parts: str) -> Path:
    """The path of a data file of an installed package, found without running the package's own code.

    Raises:
        InputError: the package is not installed, or this version of it lacks the file.
    """
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise InputError(f"package {package} holds the embedded sample and is not installed; install it with `make install`")
    path = Path(places[0]).joinpath(*parts)
    if not path.is_file():
        raise InputError(f"package {package} has no file {'/'.join(parts)}; install the version named in constraints.txt")
    return path
