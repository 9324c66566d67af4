"""Who brings a car."""

from __future__ import annotations

from backend.api.resource import resource_blueprint
from backend.records import Table
from backend.validation import Field, email, text

CUSTOMERS = Table(
    name="customers",
    singular="customer",
    select="""
        SELECT customers.id, customers.first_name, customers.last_name, customers.email, customers.phone,
               customers.created_at,
               (SELECT count(*) FROM vehicles WHERE vehicles.customer_id = customers.id) AS vehicle_count
        FROM customers""",
    searched=(
        "(customers.first_name || ' ' || customers.last_name)",
        "customers.email",
        "customers.phone",
    ),
    order="customers.last_name, customers.first_name, customers.id",
    fields=(
        Field("first_name", text(100)),
        Field("last_name", text(100)),
        Field("email", email),
        Field("phone", text(40), required=False),
    ),
)

blueprint = resource_blueprint(CUSTOMERS)
