"""The ``ferricorn`` command under the name of gunicorn: ``python -m ferricorn.as_gunicorn``."""

from ferricorn.__main__ import run_as

if __name__ == "__main__":
    run_as("gunicorn", "ferricorn.as_gunicorn")
