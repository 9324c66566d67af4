//! Logging in gives a token, as a cookie for the page and in the body for everything else.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::failure::{Failure, json_response};
use crate::validation::{Field, Kind, read_body};
use crate::{Shop, passwords, records, tokens};

const COOKIE: &str = "autoshop_token";
const CREDENTIALS: [Field; 2] =
    [Field::required("username", Kind::Text(100)), Field::required("password", Kind::Text(200))];

/// Checks the password and hands out the token.
pub(crate) async fn log_in(State(shop): State<Shop>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let secret = secret(&shop)?;
    let given: Vec<String> =
        read_body(&headers, &body, &CREDENTIALS, false)?.into_iter().filter_map(|(_, value)| value).collect();
    let [username, password] = <[String; 2]>::try_from(given).map_err(|_| Failure::bug("credentials are two"))?;
    let statement = "SELECT password_hash FROM employees WHERE username = $1";
    let kept = records::query_one(&shop.pool, statement, &[&username]).await?;
    let is_known = kept.is_some();
    let kept = kept.unwrap_or_else(|| passwords::NOBODY.to_owned());
    // It is made to take its time: other requests go on meanwhile.
    let checked = tokio::task::spawn_blocking(move || passwords::is_right(&kept, &password)).await;
    let is_right = checked.map_err(|error| Failure::bug(&error.to_string()))?;
    if !is_known || !is_right {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong username or password"));
    }
    let lifetime = shop.settings.token_lifetime;
    let token = tokens::issue(secret, &username, lifetime).map_err(|error| Failure::bug(&error.to_string()))?;
    let secure = if shop.settings.secure_cookies { " Secure;" } else { "" };
    let cookie = format!("{COOKIE}={token}; Max-Age={lifetime};{secure} HttpOnly; Path=/; SameSite=Lax");
    let body = json!({ "username": username, "token": token });
    with_cookie(json_response(StatusCode::OK, body.to_string()), &cookie)
}

/// Takes the cookie back; a token that somebody copied stays valid until it expires.
pub(crate) async fn log_out() -> Result<Response, Failure> {
    let gone = format!("{COOKIE}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/");
    with_cookie(StatusCode::NO_CONTENT.into_response(), &gone)
}

/// Who the token says is asking; null when nobody has logged in, which is no error.
pub(crate) async fn me(State(shop): State<Shop>, headers: HeaderMap) -> Response {
    let username = require(&shop, &headers).ok();
    json_response(StatusCode::OK, json!({ "username": username }).to_string())
}

/// Who is asking, or the 401 that says how to log in.
pub(crate) fn require(shop: &Shop, headers: &HeaderMap) -> Result<String, Failure> {
    let unauthorized = |message| Failure::new(StatusCode::UNAUTHORIZED, message);
    let token = bearer(headers).or_else(|| cookie(headers)).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| unauthorized("log in first: POST /api/login"))?;
    tokens::verify(secret(shop)?, token).map_err(unauthorized)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, token)| token)
}

fn secret(shop: &Shop) -> Result<&str, Failure> {
    let missing = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "nobody can log in because JWT_SECRET is not set");
    shop.settings.jwt_secret.as_deref().ok_or_else(missing)
}

fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Failure> {
    let cookie = HeaderValue::from_str(cookie).map_err(|error| Failure::bug(&error.to_string()))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
