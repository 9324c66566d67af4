//! Edgar's Auto Shop as a native application: the API of `examples/autoshop`, with its page and on its database, as an axum
//! router over a pool. The tests of the Flask application are put to this one, too. `main.rs` has it served.
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

use std::sync::Arc;

use axum::Router;
use ferricorn::{BoxError, Pool};

use settings::Settings;

/// What every handler knows.
#[derive(Clone)]
struct Shop {
    settings: Arc<Settings>,
    pool: Pool,
}

/// The whole shop, with the database that the pool is of. Fails when the environment makes no sense.
pub fn shop(pool: Pool) -> Result<Router, BoxError> {
    let settings = Settings::from_environment(|name| std::env::var(name).ok())?;
    let shop = Shop { settings: Arc::new(settings), pool };
    Ok(pages::add(api::router(), &shop).with_state(shop))
}
