"""`WSGIApplication`: the program behind the command line, for those that derive their own from it."""

from __future__ import annotations

import argparse
import os
from typing import Any, Callable, Mapping, NoReturn

from ferricorn import _loading, util
from ferricorn.app.base import Application
from ferricorn.errors import ConfigError

USAGE = "%(prog)s [OPTIONS] [APP_MODULE]"


class WSGIApplication(Application):
    """Serves what the command line names, else what `wsgi_app` does."""

    app_uri: str | None

    def init(
        self, parser: argparse.ArgumentParser, opts: argparse.Namespace, args: list[str]
    ) -> Mapping[str, Any] | None:
        """Take the PasteDeploy file, else the first argument, for the application."""
        if opts.paste:
            self.app_uri = os.path.abspath(opts.paste)
            return {"default_proc_name": self.app_uri.partition("#")[0]}
        self.app_uri = args[0] if args else None
        return {} if self.app_uri is None else {"default_proc_name": self.app_uri}

    def load_wsgiapp(self) -> Callable[..., Any]:
        """Import the application."""
        uri = self.app_uri or self.cfg.wsgi_app
        if uri is None:
            raise ConfigError("No application module specified.")
        return util.import_app(uri)

    def load_pasteapp(self) -> Callable[..., Any]:
        """Make the application that the PasteDeploy file describes."""
        uri = self.app_uri or os.path.abspath(self.cfg.paste)
        return _loading.load_from_paste(uri, self.cfg.paste_global_conf or {})

    def load(self) -> Callable[..., Any]:
        """Return the application."""
        return self.load_pasteapp() if self.cfg.paste else self.load_wsgiapp()


def run(prog: str | None = None) -> NoReturn:
    """Serve what the command line asks for."""
    WSGIApplication(USAGE, prog=prog).run()


if __name__ == "__main__":
    run()
