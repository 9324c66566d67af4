"""The ``ferricorn`` command, and ``python -m ferricorn``."""

import json
import os
import sys

from ferricorn._ferricorn import main as _run

# The command that starts a program which embeds the server, as a JSON list: its master is this module, its molds are the
# program again.
AGAIN_VARIABLE = "FERRICORN_AGAIN"


def main() -> None:
    """Run the program and exit with its status; called by a link named gunicorn it calls itself that."""
    again = os.environ.pop(AGAIN_VARIABLE, None)
    if again is not None:
        sys.exit(_run("ferricorn", [], json.loads(again)))
    name = os.path.basename(sys.argv[0])
    if name == "gunicorn":
        run_as("gunicorn", "ferricorn.as_gunicorn")
    run_as("ferricorn", "ferricorn")


def run_as(program: str, module: str) -> None:
    """Run under this name; `module` is what starts the program again under the same one."""
    sys.exit(_run(program, sys.argv[1:], [sys.executable, "-m", module]))


if __name__ == "__main__":
    main()
