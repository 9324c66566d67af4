"""PEP 249's own compliance test, put to ferricorn.db along every route, and to psycopg2 to see that the test is right."""

from __future__ import annotations

import unittest
from types import ModuleType

import pytest

from . import dbapi20
from .drivers import Driver


class Compliance(dbapi20.DatabaseAPI20Test):
    """What the test leaves to the driver's author."""

    # Run by `test_pep_249`, once for each way.
    __test__ = False

    driver: ModuleType
    # Python 3.12 knows it by its newer name alone.
    failUnless = unittest.TestCase.assertTrue

    def test_nextset(self) -> None:
        """Optional; Postgres gives one result for each statement."""

    def test_setoutputsize(self) -> None:
        """Does nothing, which is allowed."""
        connection = self._connect()
        connection.cursor().setoutputsize(1000)
        connection.close()

    def test_callproc(self) -> None:
        """The original wants the arguments back; psycopg2 does not promise a value, so the result set is what counts."""
        connection = self._connect()
        cursor = connection.cursor()
        cursor.callproc("lower", ("FOO",))
        self.assertEqual(cursor.fetchall(), [("foo",)])
        connection.close()


NAMES = unittest.TestLoader().getTestCaseNames(Compliance)


@pytest.mark.parametrize("name", NAMES)
def test_pep_249(driver: Driver, name: str) -> None:
    case = Compliance(name)
    case.driver = driver.module
    case.connect_args = (driver.dsn,)
    result = unittest.TestResult()
    case.run(result)
    assert result.testsRun == 1 and not result.skipped
    assert result.wasSuccessful(), "".join(text for _, text in result.errors + result.failures)
