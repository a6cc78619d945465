"""The walls of the house: who may import whom, what is imported late, how long a file may be. Each wall is seen to hold."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grimp
import pytest

from stock_pipeline.orchestration.stage import dependencies
from stock_pipeline_tests.harness.default_stages import KEYS, STAGES

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "stock_pipeline"
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
CONFIG: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract["name"] for contract in CONFIG["contracts"]}

# What `import stock_pipeline.definitions` must not bring along either; the others are beyond us, as other libraries import them.
NEVER_AT_START = frozenset({"torch", "lightgbm", "xgboost", "catboost", "mlflow", "shap", "matplotlib"})
HEAVY = NEVER_AT_START | {"scipy", "sklearn", "exchange_calendars", "pandas"}
UNSAFE = frozenset({"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve"})
LONGEST_FILE = 350
MANY_PARAMETERS = 4  # from so many on, a function explains them in an ``Args:`` section of its docstring
PYDANTIC_HOOKS = frozenset({"settings_customise_sources"})  # whose parameters pydantic explains

# A room is entered by what it says of itself: how it is read, its tables, its vocabulary. All else in it is its own.
DOORS = frozenset({"reading", "tables", "catalogue"})
ROOMS = frozenset(
    {
        "market_data",
        "universe",
        "features",
        "labels",
        "datasets",
        "models",
        "registry",
        "predictions",
        "performance",
        "portfolio",
        "backtest",
        "drift",
    }
)
# They call what each room does, and so know it from inside.
KNOW_EVERY_ROOM = frozenset({"definitions", "stages", "command_line"})
# The room that enters another by no door, the module that it takes, and why there is no better way.
SIDE_DOORS = {
    ("features", "market_data.adjustments"): "what later actions make of a number is one computation, of prices and of reported shares",
    ("models", "datasets.panel"): "what a training learns from",
    ("models", "datasets.samples"): "rows as arrays are the form in which every estimator takes them",
    ("models", "datasets.splits"): "training follows folds and checks them before every fit",
    ("models", "datasets.targets.neutralisation"): "scores are freed from exposures by the regression that frees targets",
    ("registry", "models.checks"): "the scores of the stack are judged by the check that every model has",
    ("registry", "models.stack_training"): "the stack is made of the versions that the registry has as active, as a model is trained",
    ("maintenance", "registry.ledger"): "retention writes what the registry decides, and the ledger alone writes it",
    ("maintenance", "registry.registration"): "retention archives versions by the registry's own transitions",
}

# The contract that each hole breaks, the file it is made in, the line that makes it, and what is told of it.
HOLES = [
    ("layers", "features/momentum.py", "from stock_pipeline.models import catalogue", "features.momentum -> {}.models.catalogue"),
    ("layers", "features/volume.py", "from stock_pipeline.labels import compute", "features.volume -> {}.labels.compute"),
    ("layers", "core/columns.py", "from stock_pipeline import settings", "core.columns -> {}.settings"),
    ("layers", "storage/ddl.py", "import stock_pipeline.market_data.tables", "storage.ddl -> {}.market_data.tables"),
    ("layers", "unlisted/__init__.py", "", "{}.unlisted"),
    ("dagster", "features/momentum.py", "import dagster as dg", "features.momentum -> dagster"),
    ("dagster", "labels/checks.py", "import dagster as dg", "labels.checks -> dagster"),
    ("dagster", "storage/stores.py", "def late() -> None:\n    import dagster_duckdb", "storage.stores -> dagster_duckdb"),
    ("execution", "orchestration/stage.py", "from stock_pipeline.orchestration import automation", "stage -> {}.orchestration.automation"),
    ("glue", "features/compute.py", "from stock_pipeline.orchestration import context", "compute -> {}.orchestration.context"),
    ("assets", "labels/assets.py", "from stock_pipeline.market_data import assets", "labels.assets -> {}.market_data.assets"),
    ("checks", "command_line/main.py", "from stock_pipeline.market_data import checks", "main -> {}.market_data.checks"),
    ("duckdb", "market_data/reading.py", "import duckdb", "market_data.reading -> duckdb"),
    ("mlflow", "models/assets.py", "def late() -> None:\n    import mlflow.lightgbm", "models.assets -> mlflow"),
]


def lint_imports(root: Path) -> str:
    """What import-linter says of the package under ``root``."""
    environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "300", "NO_COLOR": "1"}
    command = [str(LINT_IMPORTS), "--no-cache", "--config", str(PROJECT / "pyproject.toml")]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False).stdout


def test_every_wall_stands() -> None:
    told = lint_imports(PROJECT)
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in told, told


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What import-linter says of each broken contract, by its name, in a copy of the package that has every hole."""
    root = tmp_path_factory.mktemp("holes")
    shutil.copytree(PACKAGE, root / "stock_pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for _, file, line, _ in HOLES:
        place = root / "stock_pipeline" / file
        place.parent.mkdir(exist_ok=True)
        with place.open("a", encoding="utf-8") as code:
            code.write(f"\n{line}\n")
    _, _, broken = lint_imports(root).partition("Broken contracts")
    names = "|".join(map(re.escape, CONTRACTS.values()))
    _, *parts = re.split(rf"^({names})\n-+$", broken, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_contract_has_a_hole_made_in_it() -> None:
    assert {contract for contract, *_ in HOLES} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "told"), [(contract, told) for contract, _, _, told in HOLES])
def test_a_hole_is_found_in_its_own_wall(contract: str, told: str, found: dict[str, str]) -> None:
    assert told.format("stock_pipeline") in found.get(CONTRACTS[contract], "no hole was found")


def side_doors(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Which rooms import what of another room that is none of its doors, as in ("models", "datasets.samples")."""
    found = set()
    for importer in graph.modules:
        room = importer.split(".")[1] if "." in importer else importer
        for imported in graph.find_modules_directly_imported_by(importer):
            _, *place = imported.split(".")
            if place and place[0] in ROOMS - {room} and room not in KNOW_EVERY_ROOM and not (len(place) == 2 and place[1] in DOORS):
                found.add((room, ".".join(place)))
    return found


def test_a_room_is_entered_by_its_doors() -> None:
    assert side_doors(grimp.build_graph("stock_pipeline")) == set(SIDE_DOORS)


@pytest.mark.parametrize(
    ("imported", "is_seen"),
    [
        ("models.stacking", True),
        ("models", True),
        ("datasets.targets.volatility", True),
        ("models.reading", False),
        ("performance.log", False),
    ],
)
def test_an_import_past_the_doors_is_seen(imported: str, is_seen: bool) -> None:
    graph = grimp.build_graph("stock_pipeline")
    graph.add_import(importer="stock_pipeline.performance.outcomes", imported=f"stock_pipeline.{imported}")
    assert (side_doors(graph) == set(SIDE_DOORS) | {("performance", imported)}) is is_seen


def python_files(*roots: Path) -> list[Path]:
    return sorted(path for root in roots for path in root.rglob("*.py"))


def imported_at_start(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names of the top packages that are imported when the module is, with their lines; what type checkers alone see is left out."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
            continue
        yield from imported_by(node)
        waiting += ast.iter_child_nodes(node)


def imported_by(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Import):
        yield from ((name.name.partition(".")[0], node.lineno) for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
        yield node.module.partition(".")[0], node.lineno


def heavy_at_start(source: str) -> list[tuple[str, int]]:
    return sorted((name, line) for name, line in imported_at_start(ast.parse(source)) if name in HEAVY)


def unsafe_imports(source: str) -> list[tuple[str, int]]:
    found = (imported for node in ast.walk(ast.parse(source)) for imported in imported_by(node))
    return sorted((name, line) for name, line in found if name in UNSAFE)


def test_heavy_libraries_are_imported_only_inside_functions() -> None:
    found = {str(path.relative_to(PROJECT)): heavy_at_start(path.read_text(encoding="utf-8")) for path in python_files(PACKAGE)}
    assert {path: heavy for path, heavy in found.items() if heavy} == {}


def test_a_heavy_import_is_seen_wherever_it_runs_at_start_and_nowhere_else() -> None:
    source = "\n".join(
        [
            "import scipy.stats",
            "if TYPE_CHECKING:",
            "    import torch",
            "else:",
            "    import xgboost",
            "try:",
            "    from sklearn.tree import export_text",
            "except ImportError:",
            "    import pandas",
            "class Model:",
            "    import shap",
            "    def fit(self):",
            "        import lightgbm",
            "def late():",
            "    from mlflow import MlflowClient",
            "from . import matplotlib",
        ]
    )
    assert heavy_at_start(source) == [("pandas", 9), ("scipy", 1), ("shap", 11), ("sklearn", 7), ("xgboost", 5)]


def test_loading_the_definitions_loads_no_heavy_library() -> None:
    code = f"import sys, stock_pipeline.definitions; print(sorted({set(NEVER_AT_START)!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "[]"), ended.stderr


def without_args_section(source: str) -> list[tuple[int, str]]:
    """Public functions, and methods of public classes, with so many parameters that an ``Args:`` section is due and missing."""
    body = ast.parse(source).body
    methods = [node for owner in body if isinstance(owner, ast.ClassDef) and not owner.name.startswith("_") for node in owner.body]
    functions = [node for node in (*body, *methods) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return sorted((node.lineno, node.name) for node in functions if owes_args_section(node))


def owes_args_section(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if function.name.startswith("_") or function.name in PYDANTIC_HOOKS or any(map(makes_command, function.decorator_list)):
        return False
    given = function.args
    parameters = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)} - {"self", "cls"}
    return len(parameters) >= MANY_PARAMETERS and "Args:" not in (ast.get_docstring(function) or "").splitlines()


def makes_command(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and called.attr in ("command", "group")


def explained_but_absent(source: str) -> list[tuple[str, str]]:
    """Functions, each with a name that its ``Args:`` section explains and that is no parameter of it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and (
            section := re.search(r"^Args:\n((?:    .*\n|\n)*)", (ast.get_docstring(node) or "") + "\n", re.M)
        ):
            named = re.findall(r"^    (\w+(?:, \w+)*):", section[1], re.M)
            absent = {name for names in named for name in names.split(", ")} - {
                each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)
            }
            found += [(node.name, name) for name in sorted(absent)]
    return found


def test_what_is_explained_is_a_parameter() -> None:
    found = {str(path.relative_to(PROJECT)): explained_but_absent(path.read_text(encoding="utf-8")) for path in python_files(PACKAGE)}
    assert {path: absent for path, absent in found.items() if absent} == {}
    planted = "def f(a, *, b):\n    '''It.\n\n    Args:\n        a, c: two.\n        b: one: see.\n    '''\n"
    assert explained_but_absent(planted) == [("f", "c")]


def test_public_functions_of_many_parameters_explain_them() -> None:
    found = {str(path.relative_to(PROJECT)): without_args_section(path.read_text(encoding="utf-8")) for path in python_files(PACKAGE)}
    assert [f"{path}:{line} {name}" for path, functions in found.items() for line, name in functions] == []


def test_a_missing_args_section_is_seen_in_functions_and_methods_that_are_public() -> None:
    source = "\n".join(
        [
            "def short(a, b, c): ...",
            "def long(a, b, *, c, d): ...",
            "def _own(a, b, c, d): ...",
            "def explained(a, b, c, d):",
            "    '''Does it.",
            "",
            "    Args:",
            "        a: first.",
            "    '''",
            "@main.command()",
            "def command(a, b, c, d): ...",
            "class Public:",
            "    def method(self, a, b, c, d): ...",
            "    def short(self, a, b, c): ...",
            "class _Own:",
            "    def method(self, a, b, c, d): ...",
            "def outer():",
            "    def inner(a, b, c, d): ...",
        ]
    )
    assert without_args_section(source) == [(2, "long"), (13, "method")]


def test_nothing_is_ever_pickled() -> None:
    found = {str(path.relative_to(PROJECT)): unsafe_imports(path.read_text(encoding="utf-8")) for path in python_files(PACKAGE)}
    assert {path: unsafe for path, unsafe in found.items() if unsafe} == {}
    assert unsafe_imports("def late():\n    from joblib import dump") == [("joblib", 2)]


def test_a_file_is_read_in_one_sitting() -> None:
    files = python_files(PACKAGE, PROJECT / "stock_pipeline_tests", PROJECT / "benchmarks")
    lengths = {str(path.relative_to(PROJECT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_stages_are_listed_in_the_order_in_which_data_travels() -> None:
    layers = next(contract for contract in CONFIG["contracts"] if contract["id"] == "layers")["layers"]
    lowest_first = [room.strip() for layer in reversed(layers) for room in layer.split("|")]
    stages = list(dict.fromkeys(key[0] for key in KEYS))
    assert stages == sorted(stages, key=lowest_first.index)


def test_an_asset_reads_only_what_was_made_before_it() -> None:
    made: set[tuple[str, str]] = set()
    for stage in STAGES:
        assert set(dependencies(stage, STAGES)) <= made, stage.name
        made |= set(stage.keys)
