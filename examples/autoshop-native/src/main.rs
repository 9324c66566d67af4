//! Edgar's Auto Shop as a native application.
use axum::{Router, routing::get};
use std::process::ExitCode;
fn main() -> ExitCode {
    ferricorn::serve(|_context| Router::new().route("/", get(async || "hello")))
}
