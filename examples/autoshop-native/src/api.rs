//! The routes below /api: for every kind of records list and search, get, create, replace, change.

use std::collections::BTreeMap;
use std::process;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use crate::failure::{Failure, json_response};
use crate::records::{Page, Table, query_one};
use crate::tables::TABLES;
use crate::validation::{Field, Kind, LONGEST_BODY, read_body, read_query};
use crate::{Shop, login};

const PAGING: [Field; 3] = [
    Field::optional("page", Kind::Integer(1, 1_000_000)),
    Field::optional("per_page", Kind::Integer(1, 100)),
    Field::optional("q", Kind::Text(100)),
];
/// Rows of a page, unless `?per_page=` says otherwise.
const USUAL_SIZE: u64 = 25;

/// Everything below /api.
pub(crate) fn router() -> Router<Shop> {
    let mut router = Router::new()
        .route("/api/health", get(health))
        .route("/api/health/database", get(database_health))
        .route("/api/login", post(login::log_in))
        .route("/api/logout", post(login::log_out))
        .route("/api/me", get(login::me));
    for table in &TABLES {
        router = router.merge(routes(table));
    }
    router.layer(DefaultBodyLimit::max(LONGEST_BODY))
}

fn routes(table: &'static Table) -> Router<Shop> {
    let list = move |State(shop): State<Shop>, Query(given): Query<BTreeMap<String, String>>| async move {
        let mut paging = read_query(&PAGING, &given)?;
        let number = |text: Option<&String>, usual| text.and_then(|text| text.parse().ok()).unwrap_or(usual);
        let (page, size) = (number(paging.get("page"), 1), number(paging.get("per_page"), USUAL_SIZE));
        let page = Page { search: paging.remove("q"), filters: read_query(table.filters, &given)?, number: page, size };
        table.fetch_page(&shop.pool, &page).await.map(ok)
    };
    let fetch = move |State(shop): State<Shop>, Path(id): Path<String>| async move {
        table.fetch(&shop.pool, record(&id)?).await.map(ok)
    };
    let create = move |State(shop): State<Shop>, headers: HeaderMap, body: Body| async move {
        login::require(&shop, &headers)?;
        let values = read_body(&headers, &body?, table.fields, false)?;
        let (id, row) = table.create(&shop.pool, &values).await?;
        let mut response = json_response(StatusCode::CREATED, row);
        let place = HeaderValue::from_str(&format!("/api/{}/{id}", table.path));
        response.headers_mut().insert(header::LOCATION, place.map_err(|error| Failure::bug(&error.to_string()))?);
        Ok::<_, Failure>(response)
    };
    let update = move |State(shop): State<Shop>,
                       Path(id): Path<String>,
                       method: Method,
                       headers: HeaderMap,
                       body: Body| async move {
        login::require(&shop, &headers)?;
        let values = read_body(&headers, &body?, table.fields, method == Method::PATCH)?;
        table.update(&shop.pool, record(&id)?, &values).await.map(ok)
    };
    Router::new()
        .route(&format!("/api/{}", table.path), get(list).post(create))
        .route(&format!("/api/{}/{{id}}", table.path), get(fetch).put(update).patch(update))
}

/// A body, or why there is none.
type Body = Result<Bytes, axum::extract::rejection::BytesRejection>;

impl From<axum::extract::rejection::BytesRejection> for Failure {
    fn from(rejection: axum::extract::rejection::BytesRejection) -> Self {
        Failure::new(rejection.status(), rejection.body_text())
    }
}

/// What is no number is no route.
fn record(id: &str) -> Result<&str, Failure> {
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(id),
        false => Err(Failure::new(StatusCode::NOT_FOUND, "there is nothing at this address")),
    }
}

fn ok(text: String) -> Response {
    json_response(StatusCode::OK, text)
}

/// Whether this process answers at all; a database that is away must not get the worker restarted.
async fn health() -> Response {
    ok(json!({ "status": "ok", "pid": process::id() }).to_string())
}

/// Whether this process reaches the database; 503 when it does not.
async fn database_health(State(shop): State<Shop>) -> Result<Response, Failure> {
    let version = query_one(&shop.pool, "SELECT current_setting('server_version')", &[]).await?;
    Ok(ok(json!({ "status": "ok", "pid": process::id(), "postgres": version }).to_string()))
}
