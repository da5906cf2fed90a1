"""The walls of the house: who may import whom, how large things may grow, what lies where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = sorted((ROOT / "clusterimage").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
TASKS = sorted((ROOT / "tasks").glob("*.py"))
PUBLIC_TASKS = [path for path in TASKS if not path.name.startswith("_")]
ENGINE = [path for path in TASKS if path.name.startswith("_engine")]
SOURCES = [*PACKAGE, *TASKS, ROOT / "dodo.py"]
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


@pytest.mark.parametrize("path", PACKAGE, ids=label)
def test_the_package_knows_neither_doit_nor_tasks(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in ("doit", "tasks", "dodo")}


@pytest.mark.parametrize("path", [path for path in TASKS if path not in ENGINE], ids=label)
def test_only_the_engine_knows_doit_s_internals(path: Path) -> None:
    allowed = {
        "tasks/_plan.py": {"doit", "doit.doit_cmd", "doit.exceptions", "doit.exceptions.InvalidDodoFile"},
        "tasks/_run.py": {"doit.exceptions", "doit.exceptions.TaskFailed"},
    }

    assert {name for name in imports(path) if name.startswith("doit")} <= allowed.get(label(path), set())


@pytest.mark.parametrize("path", PUBLIC_TASKS, ids=label)
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


@pytest.mark.parametrize("path", [*SOURCES, *BENCHMARKS], ids=label)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < 60, function.name


def test_the_table_of_contents_stays_one() -> None:
    assert len((ROOT / "dodo.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", PACKAGE, ids=label)
def test_only_files_py_and_the_store_write(path: Path) -> None:
    writers = {"files.py", "store.py", "storage.py"}
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
