"""Creates the shop's tables and fills them: `python seed.py`, with the environment of the application.

The same rows on every machine, and running it again adds nothing and changes nothing.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from werkzeug.security import generate_password_hash

from backend.driver import driver, extensions, extras
from backend.settings import Settings, SettingsError

Cursor = extensions.cursor

USERNAME, PASSWORD = "edgar", "torque-wrench"
CUSTOMERS, VEHICLES, APPOINTMENTS, WORK_ORDERS = 200, 300, 400, 500
TABLES = ("employees", "customers", "vehicles", "appointments", "work_orders")

# The morning the shop's books begin. Fixed, because a date taken from the clock would differ by run.
OPENING_DAY = datetime(2026, 1, 5, 8, 0, tzinfo=timezone.utc)

FIRST_NAMES = (
    "Ada Alma Bruno Carla Cesar Clara Dario Edith Elena Emil Fatima Felix Gina Hanna Hugo Ines Ivan Jonas Karim"
    " Lena Leo Luisa Marco Marta Milo Nadia Nils Olga Oscar Paula Pedro Rita Rosa Samir Sofia Tariq Theo Vera"
    " Viktor Yara"
).split()
LAST_NAMES = (
    "Abbott Alvarez Becker Brandt Castillo Chen Dawson Delgado Eriksen Farkas Fischer Garcia Haddad Hansen Ibarra"
    " Jansen Keller Kowalski Lindqvist Lopez Marino Moreau Nakamura Novak Okafor Olsen Park Petrov Quinn Ramirez"
    " Rossi Schmidt Silva Tanaka Torres Ueda Vargas Weber Yilmaz Zimmer"
).split()
MODELS = (
    ("Toyota", "Corolla"), ("Toyota", "Hilux"), ("Honda", "Civic"), ("Ford", "F-150"), ("Ford", "Focus"),
    ("Volkswagen", "Golf"), ("Volkswagen", "Transporter"), ("Subaru", "Outback"), ("Volvo", "V70"),
    ("Mazda", "MX-5"), ("Renault", "Clio"), ("Fiat", "Panda"), ("Skoda", "Octavia"), ("Kia", "Ceed"),
)  # fmt: skip
JOBS = (
    "Oil and filter change", "Front brake pads and discs", "Timing belt and water pump", "Clutch replacement",
    "Annual inspection", "Air conditioning recharge", "Wheel alignment", "New battery", "Coolant leak",
    "Exhaust rattles when cold", "Check engine light on", "Winter tyres", "Wheel bearing rear left",
    "Alternator does not charge", "Suspension knocks over bumps", "Gearbox oil change",
)  # fmt: skip
APPOINTMENT_STATUSES = ("scheduled", "arrived", "done", "done", "done", "cancelled")
WORK_ORDER_STATUSES = ("open", "in_progress", "waiting_for_parts", "done", "invoiced", "invoiced")
VIN_ALPHABET = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"

Rows = list[tuple[Any, ...]]


def main() -> int:
    """One transaction: after a failure the database is as it was."""
    try:
        settings = Settings.from_environment()
        connection = driver.connect(**settings.connection)
    except SettingsError as error:
        return _refuse(str(error))
    except driver.OperationalError as error:
        return _refuse(f"The database cannot be reached: {str(error).strip().splitlines()[0]}.")
    try:
        with connection, connection.cursor() as cursor:
            # Two seeds at once would both find no tables; the second waits and finds them.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('autoshop seed'))")
            stranger = find_foreign_table(cursor)
            if stranger:
                return _refuse(f"The database already has a table {stranger} of its own; name an empty one.")
            cursor.execute((Path(__file__).parent / "schema.sql").read_text(encoding="utf-8"))
            added = sum(insert(cursor, table, columns, rows) for table, columns, rows in everything())
    finally:
        connection.close()
    print(f"Seeded the shop: {added} rows added." if added else "The shop is seeded already.")
    return 0


def find_foreign_table(cursor: Cursor) -> str | None:
    """A table with one of our names in a database that the shop has never been in."""
    cursor.execute("SELECT to_regclass('autoshop_schema') IS NULL")
    if not _first(cursor):
        return None
    for table in TABLES:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
        if _first(cursor):
            return table
    return None


def insert(cursor: Cursor, table: str, columns: str, rows: Rows) -> int:
    """Adds the rows that are missing and moves the sequence past them, for the next id is the application's."""
    statement = f"INSERT INTO {table} ({columns}) VALUES %s ON CONFLICT DO NOTHING"
    extras.execute_values(cursor, statement, rows, page_size=len(rows))
    added: int = cursor.rowcount
    cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    return added


def everything() -> list[tuple[str, str, Rows]]:
    """All rows in an order that foreign keys allow. One generator with a fixed seed makes them reproducible."""
    chance = random.Random("Edgar's Auto Shop")
    return [
        ("employees", "id, username, password_hash", [(1, USERNAME, generate_password_hash(PASSWORD))]),
        ("customers", "id, first_name, last_name, email, phone, created_at", customers(chance)),
        ("vehicles", "id, customer_id, vin, license_plate, make, model, year, mileage", vehicles(chance)),
        ("appointments", "id, vehicle_id, starts_at, duration_minutes, reason, status", appointments(chance)),
        (
            "work_orders",
            "id, vehicle_id, description, status, labor_hours, labor_rate, parts_cost, opened_at, closed_at",
            work_orders(chance),
        ),
    ]


def customers(chance: random.Random) -> Rows:
    """Names repeat, as they do; the number in the address keeps addresses apart."""
    rows: Rows = []
    for number in range(1, CUSTOMERS + 1):
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        email = f"{first}.{last}.{number}@example.com".lower()
        phone = f"+1 555 01{chance.randrange(100):02} {chance.randrange(10_000):04}"
        rows.append((number, first, last, email, phone, OPENING_DAY + timedelta(hours=number)))
    return rows


def vehicles(chance: random.Random) -> Rows:
    """Each customer has one; the rest are second cars."""
    rows: Rows = []
    for number in range(1, VEHICLES + 1):
        owner = number if number <= CUSTOMERS else chance.randint(1, CUSTOMERS)
        make, model = chance.choice(MODELS)
        vin = "".join(chance.choices(VIN_ALPHABET, k=13)) + f"{number:04}"
        plate = "".join(chance.choices("ABCDEFGHKLMNPRSTVWXYZ", k=3)) + f"-{chance.randrange(10_000):04}"
        rows.append((number, owner, vin, plate, make, model, chance.randint(1998, 2026), chance.randint(5, 280) * 1000))
    return rows


def appointments(chance: random.Random) -> Rows:
    """Four a day, two hours apart."""
    rows: Rows = []
    for number in range(1, APPOINTMENTS + 1):
        day, slot = divmod(number - 1, 4)
        starts = OPENING_DAY + timedelta(days=day, hours=2 * slot)
        duration = chance.choice((30, 60, 60, 90, 120))
        vehicle = chance.randint(1, VEHICLES)
        rows.append((number, vehicle, starts, duration, chance.choice(JOBS), chance.choice(APPOINTMENT_STATUSES)))
    return rows


def work_orders(chance: random.Random) -> Rows:
    """Five a day; those that are finished were closed some hours after they were opened."""
    rows: Rows = []
    for number in range(1, WORK_ORDERS + 1):
        opened = OPENING_DAY + timedelta(days=(number - 1) // 5, minutes=37 * ((number - 1) % 5))
        status = chance.choice(WORK_ORDER_STATUSES)
        hours, parts = chance.randint(1, 24) * 0.5, chance.randint(0, 90_000) / 100
        closed = opened + timedelta(hours=hours + 1) if status in ("done", "invoiced") else None
        vehicle = chance.randint(1, VEHICLES)
        rows.append((number, vehicle, chance.choice(JOBS), status, hours, 95, parts, opened, closed))
    return rows


def _first(cursor: Cursor) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
