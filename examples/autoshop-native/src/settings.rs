//! What the environment says; where the database is, the pool knows.

use std::collections::BTreeSet;

/// The shortest secret that is one.
const SHORTEST_SECRET: usize = 16;
const LONGEST_LOGIN: u64 = 365 * 86400;
const USUAL_LOGIN: u64 = 8 * 3600;

/// Everything that the shop can be told from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Signs the login tokens. Without it nobody can log in, so nobody can write.
    pub(crate) jwt_secret: Option<String>,
    /// How long a login lasts, in seconds.
    pub(crate) token_lifetime: u64,
    /// Browser origins that may call the API from elsewhere; "*" allows each, without cookies.
    pub(crate) cors_origins: BTreeSet<String>,
    /// Whether the login cookie travels over HTTPS only.
    pub(crate) secure_cookies: bool,
}

impl Settings {
    /// The error is one sentence for the operator.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty());
        let jwt_secret = said("JWT_SECRET");
        if jwt_secret.as_ref().is_some_and(|secret| secret.chars().count() < SHORTEST_SECRET) {
            return Err(format!("JWT_SECRET is too short: it needs at least {SHORTEST_SECRET} characters."));
        }
        let token_lifetime = match said("JWT_LIFETIME_SECONDS") {
            None => USUAL_LOGIN,
            Some(text) => match text.parse() {
                Ok(seconds) if (1..=LONGEST_LOGIN).contains(&seconds) => seconds,
                _ => {
                    return Err(format!(
                        "JWT_LIFETIME_SECONDS is {text:?}, but it must be between 1 and {LONGEST_LOGIN}."
                    ));
                }
            },
        };
        let secure_cookies = match said("SECURE_COOKIES").unwrap_or_default().trim().to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "" | "0" | "false" | "no" | "off" => false,
            other => return Err(format!("SECURE_COOKIES is {other:?}, but it must be true or false.")),
        };
        Ok(Self { jwt_secret, token_lifetime, cors_origins: origins(said("CORS_ORIGINS"))?, secure_cookies })
    }
}

fn origins(said: Option<String>) -> Result<BTreeSet<String>, String> {
    let said = said.unwrap_or_default();
    let origins: BTreeSet<String> =
        said.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let is_origin = |origin: &&String| {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        origin.as_str() == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
    };
    match origins.iter().find(|origin| !is_origin(origin)) {
        Some(bad) => Err(format!("CORS_ORIGINS has {bad:?}, which is not an origin like https://shop.example.")),
        None => Ok(origins),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_setting_is_one_sentence_that_names_it() {
        for (name, value) in [
            ("JWT_SECRET", "short"),
            ("JWT_LIFETIME_SECONDS", "0"),
            ("SECURE_COOKIES", "ture"),
            ("CORS_ORIGINS", "shop.example"),
        ] {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            let sentence = Settings::from_environment(variable).expect_err(name);
            assert!(sentence.starts_with(name) && sentence.ends_with('.'), "{sentence}");
        }
        let usual = Settings::from_environment(|_| None).expect("nothing need be said");
        assert_eq!((usual.token_lifetime, usual.jwt_secret, usual.secure_cookies), (USUAL_LOGIN, None, false));
    }
}
