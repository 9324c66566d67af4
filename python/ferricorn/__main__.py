"""The ``ferricorn`` command, and ``python -m ferricorn``."""

import sys

from ferricorn._ferricorn import main as _run


def main() -> None:
    """Run the program and exit with its status."""
    again = [sys.executable, "-m", "ferricorn"]
    sys.exit(_run("ferricorn", sys.argv[1:], again))


if __name__ == "__main__":
    main()
