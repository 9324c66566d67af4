//! What is around the API: the one page and its assets, which are those of the Flask application; other origins; and what
//! routing has to say, as JSON below /api and as HTML elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::Shop;
use crate::failure::Failure;
use crate::settings::Settings;

const PAGE: &str = include_str!("../../autoshop/backend/templates/index.html");
const SCRIPT: &str = include_str!("../../autoshop/backend/static/shop.js");
const STYLE: &str = include_str!("../../autoshop/backend/static/shop.css");

/// Adds all of it to the API.
pub(crate) fn add(api: Router<Shop>, shop: &Shop) -> Router<Shop> {
    let page = PAGE
        .replace("{{ url_for('static', filename='shop.css') }}", "/static/shop.css")
        .replace("{{ url_for('static', filename='shop.js') }}", "/static/shop.js");
    let of_type = |kind: &'static str, text: &'static str| get(async move || ([(header::CONTENT_TYPE, kind)], text));
    api.route("/", get(async move || Html(page)))
        .route("/static/shop.js", of_type("text/javascript; charset=utf-8", SCRIPT))
        .route("/static/shop.css", of_type("text/css; charset=utf-8", STYLE))
        .layer(middleware::from_fn_with_state(Arc::clone(&shop.settings), finish))
}

/// Has a request answered, and gives the answer what all of them have.
async fn finish(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    let (method, origin) = (request.method().clone(), request.headers().get(header::ORIGIN).cloned());
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let has_type = response.headers().contains_key(header::CONTENT_TYPE);
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if method == Method::OPTIONS => {
            *response.status_mut() = StatusCode::OK;
        }
        StatusCode::METHOD_NOT_ALLOWED if is_api => {
            say(&mut response, Failure::new(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here"));
        }
        StatusCode::NOT_FOUND if is_api && !has_type => {
            say(&mut response, Failure::new(StatusCode::NOT_FOUND, "there is nothing at this address"));
        }
        StatusCode::NOT_FOUND if !is_api => {
            let page = "<!doctype html><html lang=en><title>404 Not Found</title><h1>Not Found</h1></html>";
            response = (StatusCode::NOT_FOUND, Html(page)).into_response();
        }
        _ => {}
    }
    if !settings.cors_origins.is_empty() {
        let allows_methods = method == Method::OPTIONS;
        let_in(response.headers_mut(), &settings, origin.as_ref(), allows_methods);
    }
    response
}

/// Puts a failure's words in; headers such as Allow belong to the answer whatever its body looks like.
fn say(response: &mut Response, failure: Failure) {
    let words = failure.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::new(words.into_body());
}

/// Lets the listed origins call the API from a browser, preflight requests included.
fn let_in(headers: &mut HeaderMap, settings: &Settings, origin: Option<&HeaderValue>, allows_methods: bool) {
    // The answer differs by origin, so a cache must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return };
    let is_listed = origin.to_str().is_ok_and(|origin| settings.cors_origins.contains(origin));
    if is_listed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else if settings.cors_origins.contains("*") {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        return;
    }
    if allows_methods {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}
