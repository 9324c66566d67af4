"""What the shop promises its customers, its operator and the server that runs it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import psycopg2
import pytest
from conftest import seed
from flask import Flask
from flask.testing import FlaskClient

from backend import database_pool, tokens
from backend.settings import Settings, SettingsError

KINDS = ("customers", "vehicles", "appointments", "work-orders")
COUNTS = {"customers": 200, "vehicles": 300, "appointments": 400, "work-orders": 500}
NEW = {
    "customers": {"first_name": "Zoe", "last_name": "Zander", "email": "Zoe@Example.com"},
    "vehicles": {"customer_id": 1, "vin": "wvwzzz1kz6w000001", "make": "VW", "model": "Golf", "year": 2006},
    "appointments": {"vehicle_id": 1, "starts_at": "2026-09-07T14:30:00Z", "reason": "Squeaks"},
    "work-orders": {"vehicle_id": 1, "description": "Find the squeak", "labor_hours": "1.5", "parts_cost": 10},
}


# Reading


def test_page_and_its_assets_are_served(visitor: FlaskClient) -> None:
    page = visitor.get("/")
    assert page.status_code == 200 and "Edgar's Auto Shop" in page.text
    for asset in ("/static/shop.js", "/static/shop.css"):
        assert asset in page.text
        assert visitor.get(asset).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_list_is_paged(visitor: FlaskClient, kind: str) -> None:
    first = visitor.get(f"/api/{kind}?per_page=10").json
    second = visitor.get(f"/api/{kind}?per_page=10&page=2").json
    assert first["total"] >= COUNTS[kind] and first["pages"] == -(-first["total"] // 10)
    assert len(first["items"]) == len(second["items"]) == 10
    assert not {row["id"] for row in first["items"]} & {row["id"] for row in second["items"]}


def test_page_past_the_end_is_empty_and_keeps_the_total(visitor: FlaskClient) -> None:
    answer = visitor.get("/api/vehicles?page=9999").json
    assert answer["items"] == [] and answer["total"] >= 300


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("customers", "last_name"), ("vehicles", "customer_name"), ("work-orders", "vehicle"), ("appointments", "reason")],
)
def test_search_finds_what_a_row_shows(visitor: FlaskClient, kind: str, shown: str) -> None:
    row = visitor.get(f"/api/{kind}/7").json
    word = row[shown].split()[-1]
    found = visitor.get(f"/api/{kind}", query_string={"q": word.upper(), "per_page": 100}).json
    assert 0 < found["total"] < COUNTS[kind]
    assert all(word.lower() in str(item).lower() for item in found["items"])


@pytest.mark.parametrize("wildcard", ["%", "_", "\\"])
def test_search_takes_wildcards_literally(visitor: FlaskClient, wildcard: str) -> None:
    assert visitor.get("/api/customers", query_string={"q": wildcard}).json["total"] == 0


def test_list_can_be_narrowed(visitor: FlaskClient) -> None:
    answer = visitor.get("/api/work-orders?status=open&per_page=100").json
    assert 0 < answer["total"] < 500
    assert {row["status"] for row in answer["items"]} == {"open"}


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=101", "status=lost", "vehicle_id=-1", "q=%00"])
def test_bad_parameter_is_named(visitor: FlaskClient, query: str) -> None:
    answer = visitor.get(f"/api/work-orders?{query}")
    assert answer.status_code == 400
    assert list(answer.json["fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_record_is_a_json_404(edgar: FlaskClient, kind: str) -> None:
    for answer in (
        edgar.get(f"/api/{kind}/999999"),
        edgar.get(f"/api/{kind}/{10**30}"),
        edgar.put(f"/api/{kind}/999999", json=NEW[kind]),
    ):
        assert answer.status_code == 404
        assert answer.json["error"] == f"no such {kind[:-1].replace('-', ' ')}"


def test_unknown_route_and_method_are_json_below_api(visitor: FlaskClient) -> None:
    assert visitor.get("/api/nothing").json["error"]
    answer = visitor.delete("/api/customers")
    assert answer.status_code == 405 and "GET" in answer.headers["Allow"] and answer.json["error"]
    assert "<html" in visitor.get("/nothing").text


def test_health(visitor: FlaskClient) -> None:
    assert visitor.get("/api/health").json["status"] == "ok"
    assert visitor.get("/api/health/database").json["status"] == "ok"


# Writing


@pytest.mark.parametrize("kind", KINDS)
def test_create_replace_and_change(edgar: FlaskClient, kind: str) -> None:
    created = edgar.post(f"/api/{kind}", json=NEW[kind])
    assert created.status_code == 201, created.text
    where = created.headers["Location"]
    assert edgar.get(where).json == created.json

    field = next(name for name, value in NEW[kind].items() if isinstance(value, str) and name not in ("vin", "email"))
    value = "2026-10-01T08:00:00+00:00" if field == "starts_at" else "2.50" if field == "labor_hours" else "Changed"
    changed = edgar.patch(where, json={field: value})
    assert changed.status_code == 200 and changed.json == edgar.get(where).json
    assert str(changed.json[field])[:10] == value[:10]
    assert edgar.put(where, json=NEW[kind]).json == created.json


def test_replacing_resets_what_is_left_out(edgar: FlaskClient) -> None:
    body = {"first_name": "Pat", "last_name": "Put", "email": "pat@example.com"}
    where = edgar.post("/api/customers", json={**body, "phone": "1"}).headers["Location"]
    assert edgar.put(where, json=body).json["phone"] is None


def test_closing_a_work_order_stamps_it_and_reopening_clears_it(edgar: FlaskClient) -> None:
    where = edgar.post("/api/work-orders", json=NEW["work-orders"]).headers["Location"]
    assert edgar.patch(where, json={"status": "done"}).json["closed_at"]
    assert edgar.patch(where, json={"status": "open"}).json["closed_at"] is None


def test_amounts_are_exact(edgar: FlaskClient) -> None:
    assert edgar.post("/api/work-orders", json=NEW["work-orders"]).json["total"] == "152.50"


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("customers", {"first_name": "A", "last_name": "B"}, "email"),
        ("customers", {"first_name": "A", "last_name": "B", "email": "nonsense"}, "email"),
        ("customers", {"first_name": " ", "last_name": "B", "email": "a@b.example"}, "first_name"),
        ("customers", {"first_name": "a\x00b", "last_name": "B", "email": "a@b.example"}, "first_name"),
        ("customers", {"first_name": "\ud800", "last_name": "B", "email": "a@b.example"}, "first_name"),
        ("customers", {"first_name": "A", "last_name": "B", "email": "a@b.example", "id": 5}, "id"),
        ("vehicles", {**NEW["vehicles"], "vin": "TOO-SHORT"}, "vin"),
        ("vehicles", {**NEW["vehicles"], "vin": "1" * 17, "customer_id": 999_999}, "customer_id"),
        ("vehicles", {**NEW["vehicles"], "year": True}, "year"),
        ("appointments", {**NEW["appointments"], "starts_at": "tomorrow"}, "starts_at"),
        ("work-orders", {**NEW["work-orders"], "parts_cost": -1}, "parts_cost"),
        ("work-orders", {**NEW["work-orders"], "labor_hours": "nan"}, "labor_hours"),
        ("work-orders", {**NEW["work-orders"], "status": ["open"]}, "status"),
    ],
)
def test_bad_field_is_named(edgar: FlaskClient, kind: str, body: dict[str, Any], field: str) -> None:
    answer = edgar.post(f"/api/{kind}", json=body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json["fields"]) == [field]


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"null", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_object_is_refused(edgar: FlaskClient, body: bytes) -> None:
    answer = edgar.post("/api/customers", data=body, content_type="application/json")
    assert answer.status_code == 400 and answer.json["error"]


def test_body_of_another_type_and_a_huge_one_are_refused(edgar: FlaskClient) -> None:
    assert edgar.post("/api/customers", data="a=1").status_code == 415
    assert edgar.post("/api/customers", data=b" " * 2_000_000, content_type="application/json").status_code == 413


def test_second_customer_with_an_address_is_refused(edgar: FlaskClient) -> None:
    body = {"first_name": "Eve", "last_name": "Twice", "email": "eve@example.com"}
    assert edgar.post("/api/customers", json=body).status_code == 201
    answer = edgar.post("/api/customers", json=body)
    assert answer.status_code == 409 and list(answer.json["fields"]) == ["email"]


# Logging in


def test_writing_needs_a_login(visitor: FlaskClient) -> None:
    for answer in (
        visitor.post("/api/customers", json=NEW["customers"]),
        visitor.patch("/api/customers/1", json={"phone": "1"}),
        visitor.post("/api/customers", data=b"{", content_type="application/json"),
    ):
        assert answer.status_code == 401


def test_amounts_that_are_no_number_of_json_are_refused(edgar: FlaskClient) -> None:
    assert edgar.post("/api/work-orders", json={**NEW["work-orders"], "labor_hours": float("nan")}).status_code == 400


def test_token_works_as_cookie_and_as_bearer(shop: Flask, edgar: FlaskClient) -> None:
    cookie = edgar.post("/api/login", json={"username": "edgar", "password": "torque-wrench"})
    assert "HttpOnly" in cookie.headers["Set-Cookie"] and "SameSite=Lax" in cookie.headers["Set-Cookie"]
    assert edgar.get("/api/me").json == {"username": "edgar"}
    bearer = {"Authorization": f"Bearer {cookie.json['token']}"}
    assert shop.test_client().patch("/api/customers/1", json={"phone": "1"}, headers=bearer).status_code == 200
    assert edgar.post("/api/logout").status_code == 204
    assert edgar.get("/api/me").json == {"username": None}


@pytest.mark.parametrize(("username", "password"), [("edgar", "wrong"), ("nobody", "torque-wrench")])
def test_wrong_credentials_are_refused_alike(visitor: FlaskClient, username: str, password: str) -> None:
    answer = visitor.post("/api/login", json={"username": username, "password": password})
    assert (answer.status_code, answer.json["error"]) == (401, "wrong username or password")


def test_changed_foreign_and_old_tokens_are_refused() -> None:
    secret = "a secret of this test"
    token = tokens.issue(secret, "edgar", 60)
    assert tokens.verify(secret, token) == "edgar"
    head, claims, signature = token.split(".")
    for bad in (
        tokens.issue("another secret", "edgar", 60),
        tokens.issue(secret, "edgar", -1),
        f"{head}.{claims}A.{signature}",
        f"{head}.{claims}.",
        f"{head}..{signature}",
        "x",
        "",
        "é.ü.\ud800",
    ):
        with pytest.raises(tokens.TokenError):
            tokens.verify(secret, bad)


def test_without_a_secret_nobody_logs_in_and_reading_works(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = app.test_client()
    monkeypatch.setitem(app.config, "SHOP", replace(app.config["SHOP"], jwt_secret=None))
    answer = visitor.post("/api/login", json={"username": "edgar", "password": "torque-wrench"})
    assert answer.status_code == 503 and "JWT_SECRET" in answer.json["error"]
    assert visitor.get("/api/customers/1").status_code == 200


# Other origins


def test_only_listed_origins_may_call(visitor: FlaskClient) -> None:
    allowed = visitor.get("/api/health", headers={"Origin": "https://shop.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    other = visitor.get("/api/health", headers={"Origin": "https://other.example"})
    assert "Access-Control-Allow-Origin" not in other.headers and other.headers["Vary"] == "Origin"
    preflight = visitor.options("/api/customers", headers={"Origin": "https://shop.example"})
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


# Settings


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DB_POOL_MIN": "x"}, "DB_POOL_MIN"),
        ({"DB_POOL_MIN": "5", "DB_POOL_MAX": "2"}, "DB_POOL_MAX"),
        ({"PGBOUNCER_PORT": "70000"}, "PGBOUNCER_PORT"),
        ({"SECURE_COOKIES": "ture"}, "SECURE_COOKIES"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"CORS_ORIGINS": "shop.example"}, "CORS_ORIGINS"),
        ({"DATABASE_URL": "mysql://secret-password@host/db"}, "DATABASE_URL"),
        ({"DB_CONNECT_TIMEOUT": "0"}, "DB_CONNECT_TIMEOUT"),
    ],
)
def test_bad_setting_gives_one_sentence(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environment)
    sentence = str(caught.value)
    assert sentence.startswith(named) and sentence.endswith(".") and "\n" not in sentence
    assert "secret-password" not in sentence


def test_address_comes_from_the_url_then_pgbouncer_then_postgres() -> None:
    parts = {"POSTGRES_HOST": "db", "POSTGRES_PORT": "5433", "POSTGRES_PASSWORD": "", "DATABASE_URL": ""}
    assert Settings.from_environment(parts).connection["port"] == 5433
    assert Settings.from_environment({**parts, "PGBOUNCER_PORT": "6432"}).connection["port"] == 6432
    url = {**parts, "DATABASE_URL": "postgresql://u:p@elsewhere:1/shop"}
    assert Settings.from_environment(url).connection["host"] == "elsewhere"


# The pool


def test_nothing_is_committed_unasked_and_an_error_rolls_back(app: Flask) -> None:
    update = "UPDATE customers SET phone = 'never' WHERE id = 2"
    with database_pool.get_db_connection() as connection, connection.cursor() as cursor:
        cursor.execute(update)
    with pytest.raises(ZeroDivisionError):
        with database_pool.get_db_connection() as connection, connection.cursor() as cursor:
            cursor.execute(update)
            raise ZeroDivisionError
    with database_pool.get_db_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT phone FROM customers WHERE id = 2")
        assert cursor.fetchone()["phone"] != "never"


def test_exhausted_pool_is_a_503_and_recovers(app: Flask) -> None:
    visitor = app.test_client()
    with database_pool.get_db_connection(), database_pool.get_db_connection():
        answer = visitor.get("/api/customers")
        assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert visitor.get("/api/customers").status_code == 200


def test_connection_that_the_database_cut_is_replaced(database_url: str, app: Flask) -> None:
    visitor = app.test_client()
    with database_pool.get_db_connection() as connection:
        victim = connection.info.backend_pid
    with psycopg2.connect(database_url) as killer, killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (victim,))
    # psycopg2 finds out when it asks; ferricorn.db may have seen it.
    assert visitor.get("/api/health/database").status_code in (503, 200)
    assert visitor.get("/api/health/database").status_code == 200


def test_forked_child_makes_its_own_pool_and_leaves_the_parents_alone(app: Flask) -> None:
    with database_pool.get_db_connection() as connection:
        inherited = connection.info.backend_pid
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, b"own" if _backend_pid() != inherited else b"shared")
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as verdict:
            assert verdict.read() == b"own"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid")
            assert cursor.fetchone()["pid"] == inherited


def _backend_pid() -> int:
    with database_pool.get_db_connection() as connection:
        return connection.info.backend_pid


# Seeding


def test_seeding_again_adds_nothing(database_url: str) -> None:
    assert seed(database_url) == "The shop is seeded already.\n"


# The server's side of the contract: PEP 3333, checked by the standard library


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 200),
        ("GET", "/api/customers", b"", 200),
        ("GET", "/static/shop.css", b"", 200),
        ("HEAD", "/", b"", 200),
        ("HEAD", "/api/customers", b"", 200),
        ("GET", "/api/customers/999999", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("OPTIONS", "/api/customers", b"", 200),
        ("POST", "/api/login", b'{"username": "edgar", "password": "torque-wrench"}', 200),
        ("POST", "/api/logout", b"", 204),
        ("POST", "/api/customers", b"{}", 401),
    ],
)
def test_application_keeps_pep_3333(app: Flask, method: str, path: str, body: bytes, status: int) -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    if body:
        environ["CONTENT_TYPE"] = "application/json"
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(line: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        started.append(line)
        return lambda data: None

    result: Iterable[bytes] = validator(app)(environ, start_response)
    try:
        content = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined]
    assert started[-1].startswith(str(status))
    assert bool(content) == (method not in ("HEAD", "OPTIONS") and status != 204)
