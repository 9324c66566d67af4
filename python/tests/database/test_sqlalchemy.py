"""`postgresql+ferricorn://`: SQLAlchemy's own suite for dialects, and what applications do with it through PgBouncer."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from ferricorn.sqlalchemy import FerricornDialect

from .services import Bouncer, Cluster, Service

SUITE = Path(__file__).parent / "dialect_suite"


class Base(DeclarativeBase):
    """The tables of these tests."""


class Owner(Base):
    """One."""

    __tablename__ = "owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    key: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    about: Mapped[dict[str, Any]] = mapped_column(pg.JSONB)
    cars: Mapped[list[Car]] = relationship(back_populates="owner", cascade="all, delete-orphan")


class Car(Base):
    """Many."""

    __tablename__ = "cars"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("owners.id"))
    price: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2))
    bought: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    tags: Mapped[list[str]] = mapped_column(pg.ARRAY(sa.Text))
    owner: Mapped[Owner] = relationship(back_populates="cars")


@pytest.fixture(params=["cluster", "bouncer"], ids=["direct", "pgbouncer"])
def url(request: pytest.FixtureRequest) -> str:
    """As an application names it."""
    service: Service = request.getfixturevalue(request.param)
    return service.url().replace("postgresql:", "postgresql+ferricorn:")


def test_it_is_found_by_its_name(url: str) -> None:
    engine = sa.create_engine(url)
    assert isinstance(engine.dialect, FerricornDialect) and isinstance(engine.pool, sa.NullPool)


def test_objects_and_transactions(url: str) -> None:
    engine = sa.create_engine(url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    key, moment = uuid.uuid4(), datetime(2026, 1, 2, 3, tzinfo=timezone.utc)
    with Session(engine) as session:
        session.add_all(
            Owner(
                name=f"it's {number}",
                key=key,
                about={"n": [number, None, "ü"]},
                cars=[Car(price=Decimal("1.50"), bought=moment, tags=["a", 'b"']) for _ in range(3)],
            )
            for number in range(50)
        )
        session.commit()
    with Session(engine) as session:
        owner = session.scalars(sa.select(Owner).where(Owner.about["n"][0].as_integer() == 7)).one()
        assert (owner.name, owner.key, owner.about) == ("it's 7", key, {"n": [7, None, "ü"]})
        assert [(car.price, car.bought, car.tags) for car in owner.cars] == [(Decimal("1.50"), moment, ["a", 'b"'])] * 3
        assert session.scalar(sa.select(sa.func.count()).select_from(Car).where(Car.tags.any("a"))) == 150
        owner.name = "changed"
        session.delete(session.get_one(Owner, owner.id + 1))
        session.commit()
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(Owner(name="changed", key=key, about={}))
            session.flush()
        assert session.scalar(sa.select(sa.func.count()).select_from(Owner)) == 49
        owner.name = "forgotten"
        session.rollback()
        assert owner.name == "changed"
    with engine.connect() as connection:
        names = connection.execution_options(stream_results=True, max_row_buffer=10).execute(sa.select(Owner.id))
        assert len(names.all()) == 49
    reflected = sa.MetaData()
    reflected.reflect(engine, only=["owners", "cars"])
    assert {column.name: str(column.type) for column in reflected.tables["cars"].columns} == {
        "id": "INTEGER",
        "owner_id": "INTEGER",
        "price": "NUMERIC(10, 2)",
        "bought": "TIMESTAMP",
        "tags": "ARRAY",
    }
    Base.metadata.drop_all(engine)


def test_modes(url: str) -> None:
    engine = sa.create_engine(url, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert (
            connection.exec_driver_sql("SELECT txid_current()").scalar()
            != connection.exec_driver_sql("SELECT txid_current()").scalar()
        )
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"


def test_cut_connection_is_a_disconnect(cluster: Cluster) -> None:
    engine = sa.create_engine(cluster.url().replace("postgresql:", "postgresql+ferricorn:"))
    with engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        cluster.superuser(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(sa.exc.OperationalError) as caught:
            connection.exec_driver_sql("SELECT 1")
        assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_flask_sqlalchemy(monkeypatch: pytest.MonkeyPatch, bouncer: Bouncer) -> None:
    """With the database from the environment, as the server has it."""
    monkeypatch.setenv("DATABASE_URL", bouncer.url())
    app, db = Flask(__name__), SQLAlchemy()
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+ferricorn://"

    class Note(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.Text, nullable=False)

    @app.post("/notes/<text>")
    def add(text: str) -> dict[str, int]:
        note = Note(text=text)
        db.session.add(note)
        db.session.commit()
        return {"id": note.id}

    @app.get("/notes")
    def notes() -> list[str]:
        return [note.text for note in db.paginate(db.select(Note).order_by(Note.id), per_page=2)]

    db.init_app(app)
    with app.app_context():
        db.drop_all()
        db.create_all()
    client = app.test_client()
    assert [client.post(f"/notes/{text}").json for text in "abc"] == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert client.get("/notes").json == ["a", "b"] and client.get("/notes?page=2").json == ["c"]
    with app.app_context():
        db.drop_all()


def test_suite_of_sqlalchemy() -> None:
    """Nothing of it fails; it wants temporary tables, so nothing is in between."""
    with Cluster() as cluster:
        cluster.superuser("ALTER ROLE autoshop SUPERUSER")
        cluster.superuser("CREATE SCHEMA test_schema AUTHORIZATION autoshop", "autoshop")
        url = cluster.url().replace("postgresql:", "postgresql+ferricorn:") + "?pool_mode=direct"
        options = [
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=short",
            "--rootdir",
            str(SUITE),
            "-c",
            "/dev/null",
            "--dburi",
            url,
        ]
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(SUITE / "test_suite.py")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUITE), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
