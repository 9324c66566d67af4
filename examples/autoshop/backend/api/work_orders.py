"""What is done to it, and what that costs."""

from __future__ import annotations

from backend.api.resource import resource_blueprint
from backend.records import Table
from backend.validation import Field, choice, decimal, integer, text

STATUS = choice("open", "in_progress", "waiting_for_parts", "done", "invoiced")

WORK_ORDERS = Table(
    name="work_orders",
    singular="work order",
    select="""
        SELECT work_orders.id, work_orders.vehicle_id, work_orders.appointment_id, work_orders.description,
               work_orders.status, work_orders.labor_hours, work_orders.labor_rate, work_orders.parts_cost,
               work_orders.total, work_orders.opened_at, work_orders.closed_at, vehicles.customer_id,
               vehicles.year || ' ' || vehicles.make || ' ' || vehicles.model AS vehicle,
               customers.first_name || ' ' || customers.last_name AS customer_name
        FROM work_orders
        JOIN vehicles ON vehicles.id = work_orders.vehicle_id
        JOIN customers ON customers.id = vehicles.customer_id""",
    searched=(
        "work_orders.description",
        "vehicles.license_plate",
        "(vehicles.make || ' ' || vehicles.model)",
        "(customers.first_name || ' ' || customers.last_name)",
    ),
    order="work_orders.opened_at DESC, work_orders.id",
    fields=(
        Field("vehicle_id", integer(1)),
        Field("appointment_id", integer(1), required=False),
        Field("description", text(1000)),
        Field("status", STATUS, required=False),
        Field("labor_hours", decimal(1000), required=False),
        Field("labor_rate", decimal(1000), required=False),
        Field("parts_cost", decimal(1_000_000), required=False),
    ),
    filters=(Field("vehicle_id", integer(1)), Field("status", STATUS)),
)

blueprint = resource_blueprint(WORK_ORDERS)
