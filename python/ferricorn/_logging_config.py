"""What `logconfig_dict`, `logconfig_json` and `logconfig` make of `logging`."""

from __future__ import annotations

import copy
import json
import logging.config
import os
from typing import Any, Mapping

CONFIG_DEFAULTS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        name: {"level": "INFO", "handlers": [handler], "propagate": True, "qualname": name}
        for name, handler in (("gunicorn.error", "error_console"), ("gunicorn.access", "console"))
    },
    "handlers": {
        name: {"class": "logging.StreamHandler", "formatter": "generic", "stream": stream}
        for name, stream in (("console", "ext://sys.stdout"), ("error_console", "ext://sys.stderr"))
    },
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
            "class": "logging.Formatter",
        }
    },
}


def configure_logging(cfg: Any) -> str | None:
    """Apply the first of the three that is set; RuntimeError says in a sentence why it cannot be.

    Returns a sentence to be logged if the one that is set was passed over.
    """
    if cfg.logconfig_dict:
        _apply_mapping("`logconfig_dict`", cfg.logconfig_dict)
    elif cfg.logconfig_json:
        return _apply_json(cfg.logconfig_json)
    elif cfg.logconfig:
        _apply_ini(cfg.logconfig)
    return None


def _apply_mapping(source: str, mapping: Mapping[str, Any]) -> None:
    """Each key of the mapping takes the place of the default of that name."""
    try:
        logging.config.dictConfig({**copy.deepcopy(CONFIG_DEFAULTS), **mapping})
    except (AttributeError, ImportError, OSError, TypeError, ValueError) as error:
        raise RuntimeError(f"{source}: {_told(error)}") from error


def _apply_json(path: str) -> str | None:
    source = f"`logconfig_json = {path!r}`"
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        # The original passes over it in silence; a server that starts there has to start here.
        return f"{source}: there is no such file, the logs are as if it were not set."
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{source}: {error}") from error
    if not isinstance(found, dict):
        raise RuntimeError(f"{source}: the file must hold an object, as for `logging.config.dictConfig`")
    _apply_mapping(source, found)
    return None


def _apply_ini(path: str) -> None:
    if not os.path.exists(path):
        raise RuntimeError(f"log config {path!r} not found")
    places = {"__file__": path, "here": os.path.dirname(path)}
    try:
        logging.config.fileConfig(path, defaults=places, disable_existing_loggers=False)
    except Exception as error:
        # It evaluates expressions of the file, which raise whatever they like.
        raise RuntimeError(f"`logconfig = {path!r}`: {_told(error)}") from error


def _told(error: BaseException) -> str:
    """Return what was wrong, with the reason behind it, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"there is no {text}"
    cause = error.__cause__
    return text if cause is None else f"{text}: {_told(cause)}"
