//! Passwords as Werkzeug keeps them: `scrypt:N:r:p$salt$hash`.

use ring::hmac;
use scrypt::{Params, scrypt};

/// Compared against when there is no such user, so that the time of an answer does not tell names apart.
pub(crate) const NOBODY: &str = concat!(
    "scrypt:32768:8:1$nobody$00000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "000000000000000000000000000000000000000000000000"
);

/// Whether it is this password. Takes its time, on purpose: not for the worker's own thread.
pub(crate) fn is_right(kept: &str, given: &str) -> bool {
    check(kept, given).unwrap_or(false)
}

fn check(kept: &str, given: &str) -> Option<bool> {
    let mut parts = kept.splitn(3, '$');
    let (method, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut costs = method.strip_prefix("scrypt:")?.split(':').map(str::parse::<u32>);
    let (n, r, p) = (costs.next()?.ok()?, costs.next()?.ok()?, costs.next()?.ok()?);
    let expected = from_hex(hash)?;
    let params = Params::new(u8::try_from(n.checked_ilog2()?).ok()?, r, p, expected.len()).ok()?;
    let mut actual = vec![0; expected.len()];
    scrypt(given.as_bytes(), salt.as_bytes(), &params, &mut actual).ok()?;
    // In a time that does not depend on where they differ.
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
    Some(hmac::verify(&key, &actual, hmac::sign(&key, &expected).as_ref()).is_ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |place: usize| text.get(place..place + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `werkzeug.security.generate_password_hash`, with less work.
    const KEPT: &str = "scrypt:16:8:1$salt$081bfb4299d85ad217924de82614e58ca1c0363290ee18f1bb8bb9ec0eb37a373374ff79c36dccac2a5562d835168695370e334f447e47b6e687c0e9e6ab6cc2";

    #[test]
    fn a_password_is_right_or_it_is_not() {
        assert!(is_right(KEPT, "torque-wrench"));
        assert!(!is_right(KEPT, "torque-wrenc"));
        assert!(!is_right("plain$salt$00", "torque-wrench"));
        assert!(!is_right(NOBODY, "torque-wrench"));
    }
}
