"""SQLAlchemy's own suite for dialects, as its README.dialects says: started by ../test_sqlalchemy.py in a process of its own."""

from sqlalchemy.dialects import registry

import pytest

registry.register("postgresql.ferricorn", "ferricorn.sqlalchemy", "FerricornDialect")
pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.dialects.postgresql import provision as provision  # noqa: E402
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403
