//! Every failure of the API as JSON: `{"error": sentence, "fields": {...} when single fields are to blame}`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ferricorn::PoolError;
use ferricorn::tokio_postgres::Error;
use ferricorn::tokio_postgres::error::SqlState;
use serde_json::json;

/// What is wrong with single fields.
pub(crate) type Problems = BTreeMap<String, String>;

/// A request that cannot be served, with the sentence that its client gets to read.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) fields: Problems,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fields: Problems::new() }
    }

    /// 400, with what is wrong with which field.
    pub(crate) fn fields(message: &str, fields: Problems) -> Self {
        Self { fields, ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    fn of_field(status: StatusCode, message: &str, field: &str, problem: &str) -> Self {
        Self { fields: [(field.to_owned(), problem.to_owned())].into(), ..Self::new(status, message) }
    }

    /// Away, restarting, or every connection lent: all of it passes, so the client is told to come back.
    fn unavailable(reason: &str) -> Self {
        eprintln!("database unavailable: {reason}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database is not available")
    }

    /// What is nobody's fault but ours: the client gets to know that, the log the reason.
    pub(crate) fn bug(reason: &str) -> Self {
        eprintln!("{reason}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong")
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        Self::unavailable(&error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(database) = error.as_db_error() else { return Self::unavailable(&error.to_string()) };
        let code = database.code();
        // Postgres names a constraint after its table and column unless told otherwise, and schema.sql does not.
        let (constraint, table) = (database.constraint().unwrap_or_default(), database.table().unwrap_or_default());
        let column = |suffix| {
            let column = constraint.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).unwrap_or(constraint);
            column.strip_suffix(suffix).unwrap_or(column)
        };
        match code {
            _ if *code == SqlState::UNIQUE_VIOLATION => Self::of_field(
                StatusCode::CONFLICT,
                "some fields are already taken",
                column("_key"),
                "belongs to another record",
            ),
            _ if *code == SqlState::FOREIGN_KEY_VIOLATION => Self::of_field(
                StatusCode::BAD_REQUEST,
                "some fields are not valid",
                column("_fkey"),
                "names a record that does not exist",
            ),
            // The server is going down, or has no room: it says so in classes 53, 57 and 08.
            _ if ["53", "57", "08"].iter().any(|class| code.code().starts_with(class)) => {
                Self::unavailable(&database.to_string())
            }
            _ => Self::bug(&format!("database: {database}")),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = match self.fields.is_empty() {
            true => json!({ "error": self.message }),
            false => json!({ "error": self.message, "fields": self.fields }),
        };
        let mut response = json_response(self.status, body.to_string());
        if self.message.starts_with("the database") {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A response of this text.
pub(crate) fn json_response(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
