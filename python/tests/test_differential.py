"""Every setting of Gunicorn's, by flag and by file, in several spellings: both servers print the same configuration.

Values that do not disturb each other are tried together, the first of every setting in the first run, the second in the
second, and so on; the few others alone. The values, and what differs on purpose, are in differential_values.py.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from differential_values import (
    ABSENT,
    ALONE,
    ARITIES,
    BY_FLAG,
    DIFFERENT,
    FILES,
    HOOK_FORMS,
    IMPORTS,
    IN_FILES,
    OF_KIND,
    STRICTER,
)
from gunicorn.config import KNOWN_SETTINGS

BIN = Path(sys.executable).parent
SETTINGS = {setting.name: setting for setting in KNOWN_SETTINGS}

Values = dict[str, str]
"""One value of each of several settings, as a file or a flag writes it."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an application and what the values name."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def asked(
    server: str, place: Path, arguments: list[str], variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What `server` says when it is asked for its configuration in `place`."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8", **(variables or {})}
    command = [str(BIN / server), "--print-config", *arguments, "app"]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=60)


def printed(server: str, place: Path, arguments: list[str], variables: dict[str, str] | None = None) -> Values:
    """The configuration that `server` prints, by setting and in order."""
    finished = asked(server, place, arguments, variables)
    assert finished.returncode == 0, f"{server}: {finished.stderr}"
    lines = (line.partition(" = ") for line in finished.stdout.splitlines())
    return {name.rstrip(): value for name, _, value in lines}


def write_file(place: Path, values: Values) -> None:
    """Puts the values into the file that both servers read unasked."""
    lines = [f"{name} = {value}" for name, value in values.items()]
    (place / "gunicorn.conf.py").write_text(IMPORTS + "\n".join(lines) + "\n")


def differing(place: Path, arguments: list[str]) -> dict[str, tuple[str, str]]:
    """The settings that the servers print differently, with Gunicorn's value and ours."""
    theirs, ours = printed("gunicorn", place, arguments), printed("ferricorn", place, arguments)
    assert list(theirs) == list(ours) == sorted(SETTINGS)
    return {name: (theirs[name], ours[name]) for name in theirs if theirs[name] != ours[name]}


def rounds(values: dict[str, tuple[str, ...]]) -> list[Values]:
    """The first values of all settings, the second ones, and so on."""
    longest = max(len(row) for row in values.values())
    return [{name: row[turn] for name, row in values.items() if turn < len(row)} for turn in range(longest)]


def turn(given: Values) -> str:
    """The name of a run: what it says about the first setting, and about how many."""
    name, value = next(iter(given.items()))
    return f"{name} {value} and {len(given) - 1} more"


def flag_texts(name: str) -> tuple[str, ...]:
    """The texts to try with the flag of a setting; a switch has none but the empty one."""
    setting = SETTINGS[name]
    if setting.action in ("store_true", "store_const"):
        return ("",)
    kind = "append" if setting.action == "append" else "int" if setting.type is int else "str"
    return BY_FLAG.get(name, OF_KIND[kind])


def flag_values() -> dict[str, tuple[str, ...]]:
    """The texts to try with every flag; switches of what ours does not have are left out."""
    absent = {flag for _, flag in ABSENT}
    flags = {name: SETTINGS[name].cli for name in IN_FILES if SETTINGS[name].cli}
    return {name: flag_texts(name) for name, spellings in flags.items() if absent.isdisjoint(spellings)}


def as_arguments(given: Values, long: bool) -> list[str]:
    """The values as flags: `--flag=value`, or the short flag and the value as two words."""
    arguments = []
    for name, text in given.items():
        flags = SETTINGS[name].cli
        flag = next((flag for flag in flags if flag.startswith("--") == long), flags[0])
        if SETTINGS[name].action in ("store_true", "store_const"):
            arguments.append(flag)
        elif flag.startswith("--"):
            arguments.append(f"{flag}={text}")
        else:
            arguments += [flag, text]
    return arguments


def as_toml(given: Values) -> str:
    """Those of the values that TOML can hold, as a TOML file."""
    lines = []
    for name, literal in given.items():
        try:
            value = ast.literal_eval(literal)
        except ValueError:
            continue
        if isinstance(value, (str, int, list)):
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def test_every_setting_is_tried() -> None:
    assert sorted([*IN_FILES, *ARITIES, *ALONE]) == sorted(SETTINGS)
    assert len(SETTINGS) == 120


def test_defaults_are_the_same(place: Path) -> None:
    assert differing(place, []) == {}


@pytest.mark.parametrize("given", rounds(IN_FILES), ids=turn)
def test_values_of_files(place: Path, given: Values) -> None:
    write_file(place, given)
    assert differing(place, []) == {}


@pytest.mark.parametrize("given", rounds(IN_FILES), ids=turn)
def test_values_of_toml(place: Path, given: Values) -> None:
    """A TOML file says what a Python file with the same values says."""
    text = as_toml(given)
    (place / "ferricorn.toml").write_text(text)
    from_toml = printed("ferricorn", place, ["--config", "ferricorn.toml"])
    (place / "same.py").write_text(f"true, false = True, False\n{text}")
    assert from_toml == {**printed("ferricorn", place, ["--config", "same.py"]), "config": "ferricorn.toml"}


@pytest.mark.parametrize("long", [True, False], ids=["long", "short"])
@pytest.mark.parametrize("given", rounds(flag_values()), ids=turn)
def test_values_of_flags(place: Path, given: Values, long: bool) -> None:
    assert differing(place, as_arguments(given, long)) == {}


@pytest.mark.parametrize("given", rounds(flag_values()), ids=turn)
def test_values_of_the_variable(place: Path, given: Values) -> None:
    """GUNICORN_CMD_ARGS is taken apart like the command line."""
    arguments = as_arguments(given, long=True)
    variables = {"GUNICORN_CMD_ARGS": shlex.join(arguments)}
    assert printed("ferricorn", place, [], variables) == printed("ferricorn", place, arguments)


@pytest.mark.parametrize("form", HOOK_FORMS)
def test_hooks(place: Path, form: str) -> None:
    write_file(place, {name: form.format(count=n, names=", ".join("abcd"[:n])) for name, n in ARITIES.items()})
    assert differing(place, []) == {}
    assert any(word in printed("ferricorn", place, [])["when_ready"] for word in ("own1", "lambda"))


@pytest.mark.parametrize(("arguments", "line"), [row for rows in ALONE.values() for row in rows])
def test_values_alone(place: Path, arguments: str, line: str) -> None:
    (place / "gunicorn.conf.py").write_text(line + "\n")
    assert differing(place, arguments.split()) == {}


@pytest.mark.parametrize("line", DIFFERENT)
def test_what_is_printed_differently(place: Path, line: str) -> None:
    (place / "gunicorn.conf.py").write_text(IMPORTS + line + "\n")
    assert list(differing(place, [])) == [line.split(" = ")[0]]


@pytest.mark.parametrize("line", [*STRICTER, *(line for line, _ in ABSENT)])
def test_what_ours_refuses_in_files(place: Path, line: str) -> None:
    """Gunicorn prints it; ours ends with status 1, and names the setting, the file and the line."""
    text = IMPORTS + line + "\n"
    (place / "gunicorn.conf.py").write_text(text)
    printed("gunicorn", place, [])
    refused = asked("ferricorn", place, [])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"Error: `{line.split(' = ')[0]} = " in refused.stderr
    assert f"gunicorn.conf.py, line {text.count(chr(10))}: " in refused.stderr


@pytest.mark.parametrize(("line", "flag"), ABSENT)
def test_what_ours_refuses_as_flags(place: Path, line: str, flag: str) -> None:
    """Gunicorn prints it; ours ends with status 1, and names the setting, the value and the flag."""
    printed("gunicorn", place, [flag])
    refused = asked("ferricorn", place, [flag])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"Error: `{line}` ({flag.split('=')[0]}) from the command line: " in refused.stderr
