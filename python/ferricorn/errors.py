"""The exceptions of the server that applications and configuration files may meet."""

from ferricorn._loading import NotAnApplication


class HaltServer(BaseException):
    """The server is to end, with this exit status. No `except Exception` catches it."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        super().__init__(reason, exit_status)
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"<HaltServer {self.reason!r} {self.exit_status}>"


class ConfigError(Exception):
    """The configuration cannot be used."""


class AppImportError(NotAnApplication):
    """The application is missing in its module, or is not one."""
