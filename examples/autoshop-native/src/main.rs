//! Edgar's Auto Shop as a native application: the API of `examples/autoshop`, with its page and on its database, as an axum
//! router over the worker's pool. The tests of the Flask application are put to this one, too.
//!
//! - [`settings`]: what the environment says
//! - [`api`]: the routes; [`login`]: who may write
//! - [`tables`]: the four kinds of records; [`records`]: the SQL that they share; [`validation`]: what clients may write
//! - [`tokens`], [`passwords`]: what a login is made of
//! - [`failure`]: every failure as JSON
//! - [`pages`]: the page, other origins, and what routing has to say

mod api;
mod failure;
mod login;
mod pages;
mod passwords;
mod records;
mod settings;
mod tables;
mod tokens;
mod validation;

use std::process::ExitCode;
use std::sync::Arc;

use ferricorn::{BoxError, Context, Pool};

use settings::Settings;

/// What every handler knows.
#[derive(Clone)]
struct Shop {
    settings: Arc<Settings>,
    pool: Pool,
}

fn main() -> ExitCode {
    ferricorn::serve(|context: Context| {
        let settings = Settings::from_environment(|name| std::env::var(name).ok())?;
        let shop = Shop { settings: Arc::new(settings), pool: context.pool()? };
        Ok::<_, BoxError>(pages::add(api::router(), &shop).with_state(shop))
    })
}
