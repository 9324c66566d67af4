//! The four kinds of records. Amounts are texts in JSON, so that they stay exact.

use crate::records::Table;
use crate::validation::Field;
use crate::validation::Kind::{Choice, Decimal, Email, Integer, Moment, Text, Vin};

const LAST: i64 = i32::MAX as i64;
const APPOINTMENT: Field = Field::optional("status", Choice(&["scheduled", "arrived", "done", "cancelled"]));
const WORK_ORDER: Field =
    Field::optional("status", Choice(&["open", "in_progress", "waiting_for_parts", "done", "invoiced"]));

/// All of them.
pub(crate) static TABLES: [Table; 4] = [
    Table {
        name: "customers",
        path: "customers",
        singular: "customer",
        select: "SELECT customers.id, customers.first_name, customers.last_name, customers.email, customers.phone,
                        customers.created_at,
                        (SELECT count(*) FROM vehicles WHERE vehicles.customer_id = customers.id) AS vehicle_count
                 FROM customers",
        searched: &["(customers.first_name || ' ' || customers.last_name)", "customers.email", "customers.phone"],
        order: "customers.last_name, customers.first_name, customers.id",
        fields: &[
            Field::required("first_name", Text(100)),
            Field::required("last_name", Text(100)),
            Field::required("email", Email),
            Field::optional("phone", Text(40)),
        ],
        filters: &[],
    },
    Table {
        name: "vehicles",
        path: "vehicles",
        singular: "vehicle",
        select: "SELECT vehicles.id, vehicles.customer_id, vehicles.vin, vehicles.license_plate, vehicles.make,
                        vehicles.model, vehicles.year, vehicles.mileage,
                        customers.first_name || ' ' || customers.last_name AS customer_name
                 FROM vehicles JOIN customers ON customers.id = vehicles.customer_id",
        searched: &[
            "vehicles.vin",
            "vehicles.license_plate",
            "(vehicles.make || ' ' || vehicles.model)",
            "(customers.first_name || ' ' || customers.last_name)",
        ],
        order: "vehicles.make, vehicles.model, vehicles.id",
        fields: &[
            Field::required("customer_id", Integer(1, LAST)),
            Field::required("vin", Vin),
            Field::optional("license_plate", Text(20)),
            Field::required("make", Text(60)),
            Field::required("model", Text(60)),
            Field::required("year", Integer(1886, 2100)),
            Field::optional("mileage", Integer(0, 10_000_000)),
        ],
        filters: &[Field::optional("customer_id", Integer(1, LAST))],
    },
    Table {
        name: "appointments",
        path: "appointments",
        singular: "appointment",
        select:
            "SELECT appointments.id, appointments.vehicle_id, appointments.starts_at, appointments.duration_minutes,
                        appointments.reason, appointments.status, vehicles.customer_id,
                        vehicles.year || ' ' || vehicles.make || ' ' || vehicles.model AS vehicle,
                        customers.first_name || ' ' || customers.last_name AS customer_name
                 FROM appointments
                 JOIN vehicles ON vehicles.id = appointments.vehicle_id
                 JOIN customers ON customers.id = vehicles.customer_id",
        searched: &[
            "appointments.reason",
            "vehicles.license_plate",
            "(vehicles.make || ' ' || vehicles.model)",
            "(customers.first_name || ' ' || customers.last_name)",
        ],
        order: "appointments.starts_at DESC, appointments.id",
        fields: &[
            Field::required("vehicle_id", Integer(1, LAST)),
            Field::required("starts_at", Moment),
            Field::optional("duration_minutes", Integer(15, 480)),
            Field::required("reason", Text(300)),
            APPOINTMENT,
        ],
        filters: &[Field::optional("vehicle_id", Integer(1, LAST)), APPOINTMENT],
    },
    Table {
        name: "work_orders",
        path: "work-orders",
        singular: "work order",
        select: "SELECT work_orders.id, work_orders.vehicle_id, work_orders.appointment_id, work_orders.description,
                        work_orders.status, work_orders.labor_hours::text, work_orders.labor_rate::text,
                        work_orders.parts_cost::text, work_orders.total::text, work_orders.opened_at,
                        work_orders.closed_at, vehicles.customer_id,
                        vehicles.year || ' ' || vehicles.make || ' ' || vehicles.model AS vehicle,
                        customers.first_name || ' ' || customers.last_name AS customer_name
                 FROM work_orders
                 JOIN vehicles ON vehicles.id = work_orders.vehicle_id
                 JOIN customers ON customers.id = vehicles.customer_id",
        searched: &[
            "work_orders.description",
            "vehicles.license_plate",
            "(vehicles.make || ' ' || vehicles.model)",
            "(customers.first_name || ' ' || customers.last_name)",
        ],
        order: "work_orders.opened_at DESC, work_orders.id",
        fields: &[
            Field::required("vehicle_id", Integer(1, LAST)),
            Field::optional("appointment_id", Integer(1, LAST)),
            Field::required("description", Text(1000)),
            WORK_ORDER,
            Field::optional("labor_hours", Decimal(1000)),
            Field::optional("labor_rate", Decimal(1000)),
            Field::optional("parts_cost", Decimal(1_000_000)),
        ],
        filters: &[Field::optional("vehicle_id", Integer(1, LAST)), WORK_ORDER],
    },
];
