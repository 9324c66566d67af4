//! Signed login tokens: JSON Web Tokens with HS256, as much of them as the shop needs, and interchangeable with those of
//! the Flask application. The algorithm is fixed: the header of a token is never asked which one it likes.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: u64,
    exp: u64,
}

/// A token that says who has logged in and until when that counts.
pub(crate) fn issue(secret: &str, subject: &str, lifetime: u64) -> Result<String, serde_json::Error> {
    let now = now();
    let claims = Claims { sub: subject.to_owned(), iat: now, exp: now + lifetime };
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims)?));
    let signature = hmac::sign(&key(secret), signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The subject of a valid token. The signature is checked before anything inside is believed.
pub(crate) fn verify(secret: &str, token: &str) -> Result<String, &'static str> {
    let (signed, signature) = token.rsplit_once('.').ok_or("the token's signature is wrong")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the token's signature is wrong")?;
    hmac::verify(&key(secret), signed.as_bytes(), &signature).map_err(|_| "the token's signature is wrong")?;
    let claims = signed.split_once('.').and_then(|(_, claims)| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    let claims = claims.ok_or("the token is malformed")?;
    if claims.exp > now() { Ok(claims.sub) } else { Err("the token has expired") }
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_foreign_and_old_tokens_are_refused() {
        let secret = "a secret of this test";
        let token = issue(secret, "edgar", 60).expect("a token");
        assert_eq!(verify(secret, &token).as_deref(), Ok("edgar"));
        let (signed, _) = token.rsplit_once('.').expect("a signature");
        let foreign = issue("another secret", "edgar", 60).expect("a token");
        let old = issue(secret, "edgar", 0).expect("a token");
        for bad in [foreign.as_str(), &old, &format!("{signed}."), "x", "", "é.ü.ß", &format!("{token}A")] {
            assert!(verify(secret, bad).is_err(), "{bad}");
        }
    }
}
