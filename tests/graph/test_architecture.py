"""The walls of the house: who may import whom, how large things may grow, what lies where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

ENGINE = sorted((ROOT / "clusterimage" / "engine").rglob("*.py"))
PACKAGE = [path for path in sorted((ROOT / "clusterimage").rglob("*.py")) if path not in ENGINE]
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
TASKS = sorted((ROOT / "tasks").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SOURCES = [*PACKAGE, *ENGINE, *TASKS, ROOT / "dodo.py"]
KNOWS_DOIT = {"action.py", "invocation.py", "runner.py", "state.py"}
HEAVY = {"requests", "docker", "jinja2", "yaml", "tqdm", "deflate", "isal", "zstandard", "http"}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Return the modules that `path` imports; those under `if TYPE_CHECKING` do not run and do not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and isinstance(test.test, ast.Name) and test.test.id == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def wing(module: str) -> str:
    """Return the wing that a module of the package lies in, "" for what is no module of it."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "clusterimage" else ""


def wings() -> list[str]:
    """Return the wings as CONTRIBUTING draws them, from the ground up."""
    drawn = (ROOT / "CONTRIBUTING.md").read_text().partition("### The wings")[2].partition("\n##")[0]
    return re.findall(r"^    (\w+)  ", drawn, re.MULTILINE)


def below(module: str) -> set[str]:
    """Return the wings that the module at that path imports from, its own left out; those below TYPE_CHECKING too."""
    tree = ast.parse((ROOT / module).read_text())
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {wing(name) for name in named} & set(wings()) - {Path(module).parts[1]}


def test_the_picture_of_the_house_has_every_wing() -> None:
    there = {path.parent.name for path in (ROOT / "clusterimage").glob("*/__init__.py")}

    assert sorted(wings()) == sorted(there)
    assert [path.name for path in (ROOT / "clusterimage").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("path", [*PACKAGE, *ENGINE], ids=label)
def test_a_wing_imports_only_from_wings_below_it(path: Path) -> None:
    order = wings()
    if path.parent.name == "clusterimage":
        assert below(label(path)) == set()
        return
    floor = order.index(path.relative_to(ROOT).parts[1])

    assert {name for name in below(label(path)) if order.index(name) >= floor} == set()


def test_no_module_of_a_wing_is_in_a_circle() -> None:
    modules = {dotted(path): path for path in [*PACKAGE, *ENGINE]}
    graph = {name: imports(path) & modules.keys() - {name} for name, path in modules.items()}

    assert list(TopologicalSorter(graph).static_order())  # a circle raises CycleError, which names it


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", PACKAGE, ids=label)
def test_no_wing_but_the_engine_knows_doit_or_tasks(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in ("doit", "tasks", "dodo")}


@pytest.mark.parametrize("path", [*ENGINE, *TASKS, ROOT / "dodo.py"], ids=label)
def test_doit_is_known_to_few_modules_of_the_engine(path: Path) -> None:
    knows = {name for name in imports(path) if name.split(".")[0] == "doit"}

    assert not knows or (path in ENGINE and path.name in KNOWS_DOIT)


@pytest.mark.parametrize("path", ENGINE, ids=label)
def test_the_engine_knows_no_step(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in ("tasks", "dodo")}


@pytest.mark.parametrize("path", TASKS, ids=label)
def test_a_step_is_one_small_module_with_one_creator_and_nothing_else(path: Path) -> None:
    if path.name == "__init__.py":
        return
    tree = ast.parse(path.read_text())
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]

    assert [node.name for node in defined] == [f"task_{path.stem}"]
    assert len(path.read_text().splitlines()) <= 60


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_loading_imports_nothing_heavy(path: Path) -> None:
    if "upstream" in path.parts:
        return  # loaded by an action only
    assert not {name for name in imports(path, top_level_only=True) if name.split(".")[0] in HEAVY}


@pytest.mark.parametrize("path", [*SOURCES, *BENCHMARKS, *TESTS], ids=label)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350


@pytest.mark.parametrize("path", [*SOURCES, *BENCHMARKS], ids=label)
def test_functions_stay_small(path: Path) -> None:
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < 60, function.name


def test_the_table_of_contents_stays_one() -> None:
    assert len((ROOT / "dodo.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", PACKAGE, ids=label)
def test_only_files_py_and_the_store_write(path: Path) -> None:
    writers = {"files.py", "store.py", "saved_registry.py"}
    if path.name in writers or "upstream" in path.parts:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}

    assert not names & {"write_text", "write_bytes"}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "open" and call.args:
            mode = call.args[0]
            assert not (isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+")), ast.dump(call)


def test_the_project_names_no_machine() -> None:
    others = [*(ROOT / "benchmarks").iterdir(), ROOT / "versions.toml", ROOT / "Makefile"]
    for path in [*SOURCES, *(ROOT / "context").rglob("*"), *others]:
        if path.is_file():
            assert "/work/" not in path.read_text(), path
