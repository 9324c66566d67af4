"""Everything the suite has."""

from typing import Any

from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import ServerSideCursorsTest as _ServerSideCursorsTest


class ServerSideCursorsTest(_ServerSideCursorsTest):  # type: ignore[misc]
    """The one place where the suite goes by a driver's name."""

    def _is_server_side(self, cursor: Any) -> bool:
        return bool(cursor.name)
