"""The package as its users meet it: a version, a command, type information."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import ferricorn
from ferricorn import _ferricorn

PACKAGE = Path(ferricorn.__file__).parent
STUBS = ast.parse((PACKAGE / "_ferricorn" / "__init__.pyi").read_text())
STUB_CLASSES = {node.name: node for node in STUBS.body if isinstance(node, ast.ClassDef)}


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def public(names: object) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_version_is_that_of_the_distribution() -> None:
    assert ferricorn.__version__ == _ferricorn.VERSION == importlib.metadata.version("ferricorn")


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "ferricorn"], [str(Path(sys.executable).with_name("ferricorn"))]]
)
def test_version_of_the_command(command: list[str]) -> None:
    finished = run(*command, "--version")
    assert finished.returncode == 0
    assert finished.stdout == f"ferricorn (version {ferricorn.__version__})\n"
    assert finished.stderr == ""


def test_exit_statuses_reach_the_shell(tmp_path: Path) -> None:
    usage = run(sys.executable, "-m", "ferricorn", "--no-such-flag", cwd=tmp_path)
    assert (usage.returncode, usage.stdout) == (2, "")
    nothing = run(sys.executable, "-m", "ferricorn", cwd=tmp_path)
    assert (nothing.returncode, nothing.stderr) == (1, "\nError: No application module specified.\n")


def test_check_config_says_what_is_wrong_with_the_application(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("application = 3\n")
    finished = run(sys.executable, "-m", "ferricorn", "--check-config", "shop", cwd=tmp_path)
    assert finished.returncode == 1
    assert "Application object must be callable. 'application' in 'shop' is not." in finished.stderr


def test_importing_the_package_starts_nothing() -> None:
    code = "import ferricorn, threading, sys; print(threading.active_count(), 'ferricorn._loading' in sys.modules)"
    assert run(sys.executable, "-c", code).stdout == "1 False\n"


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_stubs_name_what_the_extension_has() -> None:
    functions = {node.name for node in STUBS.body if isinstance(node, ast.FunctionDef)}
    values = {node.target.id for node in STUBS.body if isinstance(node, ast.AnnAssign)}
    imports = [alias for node in STUBS.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    # `import x as x` is how a stub says that x is there for others.
    modules = {alias.asname for alias in imports if alias.asname}
    described = public(functions | values | modules | set(STUB_CLASSES))
    assert described == public(vars(_ferricorn))


@pytest.mark.parametrize("name", sorted(public(STUB_CLASSES)))
def test_stubs_name_what_the_classes_have(name: str) -> None:
    described = {node.name for node in STUB_CLASSES[name].body if isinstance(node, ast.FunctionDef)}
    assert public(described) == public(vars(getattr(_ferricorn, name)))


@pytest.mark.parametrize("name", ["ClientSocket", "ErrorStream", "Input", "StartResponse"])
def test_objects_of_a_call_are_made_by_the_server_only(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(_ferricorn, name)()
