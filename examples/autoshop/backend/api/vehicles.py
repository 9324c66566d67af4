"""What they bring."""

from __future__ import annotations

import re
from typing import Any

from backend.api.resource import resource_blueprint
from backend.records import Table
from backend.validation import Field, integer, text


def vin(value: Any) -> str:
    """A vehicle identification number; I, O and Q are left out of it because they look like digits."""
    number = text(17)(value).upper()
    if not re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", number):
        raise ValueError("must be a VIN: 17 letters and digits without I, O and Q")
    return number


VEHICLES = Table(
    name="vehicles",
    singular="vehicle",
    select="""
        SELECT vehicles.id, vehicles.customer_id, vehicles.vin, vehicles.license_plate, vehicles.make,
               vehicles.model, vehicles.year, vehicles.mileage,
               customers.first_name || ' ' || customers.last_name AS customer_name
        FROM vehicles JOIN customers ON customers.id = vehicles.customer_id""",
    searched=(
        "vehicles.vin",
        "vehicles.license_plate",
        "(vehicles.make || ' ' || vehicles.model)",
        "(customers.first_name || ' ' || customers.last_name)",
    ),
    order="vehicles.make, vehicles.model, vehicles.id",
    fields=(
        Field("customer_id", integer(1)),
        Field("vin", vin),
        Field("license_plate", text(20), required=False),
        Field("make", text(60)),
        Field("model", text(60)),
        Field("year", integer(1886, 2100)),
        Field("mileage", integer(0, 10_000_000), required=False),
    ),
    filters=(Field("customer_id", integer(1)),),
)

blueprint = resource_blueprint(VEHICLES)
