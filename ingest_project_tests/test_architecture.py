"""The house stands as drawn: arrows point one way, modules are small, the environment has one reader.

Looks at source text only, but for the two tests that import everything in a fresh interpreter.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ingest_project"
MODULES = sorted(PACKAGE.rglob("*.py"))

# 300 and 30 are the aims; the slack spares a split that would tear one idea apart.
MODULE_LINES = 320
FUNCTION_LINES = 40

_ADAPTERS = {"core", "formats", "wire"}
_STORES = _ADAPTERS | {"sources", "sinks", "ledgers"}
_DESKS = _STORES | {"local", "testing"}
_WIRING = _DESKS | {"resources", "io_managers", "orchestration"}
MAY_IMPORT = {
    "core": set[str](),
    "formats": {"core"},
    "wire": {"core"},
    "sources": _ADAPTERS,
    "sinks": _ADAPTERS,
    "ledgers": _ADAPTERS,
    "local": _STORES,
    # The laws look at adapters and the plugin at servers; none of them looks back.
    "testing": _STORES | {"local"},
    "resources": _DESKS,
    "io_managers": _DESKS | {"resources"},
    "orchestration": _WIRING,
    "entities": _WIRING,
    "": _WIRING | {"entities", ""},
}
"""Package -> what it may import beside itself; "" stands for the modules at the top (definitions, cli)."""

ENVIRONMENT_READER = "resources/deployments.py"
DAGSTER_SIDE = ("io_managers", "orchestration", "entities", "definitions")


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part(path: Path) -> str:
    """The package a module belongs to, "" at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def dotted(path: Path) -> str:
    words = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything that a module imports, wherever the statement stands."""
    package = dotted(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{name.name}") for name in node.names)


def test_arrows_point_one_way() -> None:
    wrong = []
    for path in MODULES:
        for line, name in imports(path):
            words = name.split(".")
            if words[0] != PACKAGE.name or len(words) < 2:
                continue
            target = words[1] if (PACKAGE / words[1]).is_dir() else ""
            if target != part(path) and target not in MAY_IMPORT[part(path)]:
                wrong.append(f"{relative(path)}:{line} imports {name}")
    assert wrong == []


def test_core_imports_the_standard_library_only() -> None:
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in MODULES
        if part(path) == "core"
        for line, name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("ingest_project.core")
    ]
    assert wrong == []


def test_no_entity_imports_a_sibling() -> None:
    wrong = []
    for path in MODULES:
        words = path.relative_to(PACKAGE).parts
        if words[0] != "entities" or len(words) < 3:
            continue
        for line, name in imports(path):
            target = name.split(".")
            if target[:2] == [PACKAGE.name, "entities"] and target[2:3] not in ([], [words[1]]):
                wrong.append(f"{relative(path)}:{line} imports {name}")
    assert wrong == []


def test_nothing_but_the_factory_of_definitions_names_an_entity() -> None:
    names = {path.parent.name for path in PACKAGE.glob("entities/*/__init__.py")}
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in MODULES
        if part(path) != "entities"
        for line, name in imports(path)
        if name.split(".")[1:2] == ["entities"] and name.split(".")[2:3] and name.split(".")[2] in names
    ]
    assert [entry for entry in wrong if not entry.startswith("cli")] == []


def test_only_deployments_reads_the_environment() -> None:
    words = {"environ", "environb", "getenv", "getenvb"}
    wrong = []
    for path in MODULES:
        if relative(path) == ENVIRONMENT_READER:
            continue
        for node in ast.walk(tree(path)):
            named = isinstance(node, ast.Attribute) and node.attr in words and _is_name(node.value, "os")
            taken = (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and words & {n.name for n in node.names}
            )
            if named or taken:
                wrong.append(f"{relative(path)}:{getattr(node, 'lineno', 0)}")
    assert wrong == []


def test_nothing_prints_but_the_command_line() -> None:
    wrong = [
        f"{relative(path)}:{node.lineno}"
        for path in MODULES
        if not path.name.startswith("cli")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _is_name(node.func, "print")
    ]
    assert wrong == []


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_every_module_opens_with_its_charter() -> None:
    assert [relative(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


def test_modules_are_short() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def test_functions_are_short() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                length = (node.body[-1].end_lineno or 0) - first.lineno + 1
                if length > FUNCTION_LINES:
                    long[f"{relative(path)}:{node.lineno} {node.name}"] = length
    assert long == {}


NAMED_MAIN = "__name__ == '__main__'"


def at_import(node: ast.AST) -> Iterator[ast.stmt]:
    """The import statements that run when their module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", NAMED_MAIN):
            continue
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_import(child)


def needed(path: Path, known: frozenset[str]) -> set[str]:
    """Modules of ours that must be there before this one is: those named, and the packages they lie in."""
    lines = {node.lineno for node in at_import(tree(path))}
    own, found = dotted(path), set[str]()
    for line, name in imports(path):
        target = name if name in known else name.rpartition(".")[0]
        if line in lines and target in known:
            words = target.split(".")
            found |= {".".join(words[:end]) for end in range(1, len(words) + 1)}
    return {name for name in found if name != own and not own.startswith(f"{name}.")}


def test_no_module_needs_itself() -> None:
    """So each of them can be imported first."""
    known = frozenset(dotted(path) for path in MODULES)
    graph = {dotted(path): needed(path, known) for path in MODULES}
    assert len(known) == len(list(TopologicalSorter(graph).static_order()))


IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print("dagster" in sys.modules)
"""


def import_all(names: list[str]) -> bool:
    """Import the modules in one fresh interpreter. True when Dagster was loaded."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split() == ["True"]


def light(path: Path) -> bool:
    """Modules that the command line can reach: they must not cost Dagster's memory."""
    names_dagster = any(name.split(".")[0] == "dagster" for _, name in imports(path))
    return part(path) not in DAGSTER_SIDE and path.stem != "definitions" and not names_dagster


def test_every_module_of_the_command_line_imports_without_dagster() -> None:
    assert not import_all([dotted(path) for path in MODULES if light(path)])


@pytest.mark.dagster
def test_every_module_of_the_dagster_side_imports() -> None:
    assert import_all([dotted(path) for path in MODULES if not light(path)])


def test_dagster_is_named_on_its_side_of_the_house_only() -> None:
    allowed = {*DAGSTER_SIDE, "resources"}
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for path in MODULES
        if part(path) not in allowed and path.stem != "definitions"
        for line, name in imports(path)
        if name.split(".")[0] in ("celery", "dagster", "dagster_aws", "dagster_celery", "dagster_postgres")
    ]
    assert wrong == []
