"""When they bring it."""

from __future__ import annotations

from backend.api.resource import resource_blueprint
from backend.records import Table
from backend.validation import Field, choice, integer, moment, text

STATUS = choice("scheduled", "arrived", "done", "cancelled")

APPOINTMENTS = Table(
    name="appointments",
    singular="appointment",
    select="""
        SELECT appointments.id, appointments.vehicle_id, appointments.starts_at, appointments.duration_minutes,
               appointments.reason, appointments.status, vehicles.customer_id,
               vehicles.year || ' ' || vehicles.make || ' ' || vehicles.model AS vehicle,
               customers.first_name || ' ' || customers.last_name AS customer_name
        FROM appointments
        JOIN vehicles ON vehicles.id = appointments.vehicle_id
        JOIN customers ON customers.id = vehicles.customer_id""",
    searched=(
        "appointments.reason",
        "vehicles.license_plate",
        "(vehicles.make || ' ' || vehicles.model)",
        "(customers.first_name || ' ' || customers.last_name)",
    ),
    order="appointments.starts_at DESC, appointments.id",
    fields=(
        Field("vehicle_id", integer(1)),
        Field("starts_at", moment),
        Field("duration_minutes", integer(15, 480), required=False),
        Field("reason", text(300)),
        Field("status", STATUS, required=False),
    ),
    filters=(Field("vehicle_id", integer(1)), Field("status", STATUS)),
)

blueprint = resource_blueprint(APPOINTMENTS)
