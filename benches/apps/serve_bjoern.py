"""bjoern has no command line of its own: `python serve_bjoern.py MODULE:ATTRIBUTE HOST PORT`."""

from __future__ import annotations

import importlib
import sys

import bjoern


def main(target: str, host: str, port: str) -> None:
    """Serves until a signal ends the process."""
    module, _, attribute = target.partition(":")
    bjoern.run(getattr(importlib.import_module(module), attribute), host, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
