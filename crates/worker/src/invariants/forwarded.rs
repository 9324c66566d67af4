//! What proxies say in header fields: who is believed, and what.

use ferricorn_application::Peer;
use ferricorn_settings::{AddressList, HeaderMapPolicy};
use http::{HeaderName, HeaderValue};

use crate::policy::Policy;

const FORWARDER: [&str; 2] = ["script_name", "path_info"];
const SECURE: [(&str, &str); 3] =
    [("x-forwarded-protocol", "ssl"), ("x-forwarded-proto", "https"), ("x-forwarded-ssl", "on")];

/// Panics unless the policy comes to what a plain reading of the same fields comes to. The first byte says who sends them and what the
/// settings are; each line that follows is a field.
pub fn forwarded(data: &[u8]) {
    let Some((choice, lines)) = data.split_first() else { return };
    let trusted = choice & 1 == 0;
    let underscores = match (choice >> 1) % 3 {
        0 => HeaderMapPolicy::Drop,
        1 => HeaderMapPolicy::Refuse,
        _ => HeaderMapPolicy::Dangerous,
    };
    let fields: Vec<(HeaderName, HeaderValue)> = lines.split(|byte| *byte == b'\n').filter_map(field).collect();
    let mut request = http::Request::new(());
    for (name, value) in &fields {
        request.headers_mut().append(name, value.clone());
    }
    let (mut head, ()) = request.into_parts();
    let peer = if trusted { "10.1.2.3:4" } else { "11.1.2.3:4" };
    let peer = Peer::Tcp(peer.parse().unwrap_or_else(|error| panic!("{peer}: {error}")));
    let judged = policy(underscores).apply(&mut head, &peer);
    let is_doubtful = |name: &HeaderName| {
        let name = name.as_str();
        underscores != HeaderMapPolicy::Dangerous && name.contains('_') && !(trusted && FORWARDER.contains(&name))
    };
    let any_doubtful = fields.iter().any(|(name, _)| is_doubtful(name));
    let refused = (any_doubtful && underscores == HeaderMapPolicy::Refuse) || (trusted && contradicts(&fields));
    assert_eq!(judged.is_err(), refused, "{fields:?}");
    if let Ok(https) = judged {
        assert_eq!(https, said(&fields).next().filter(|_| trusted), "{fields:?}");
        let mut kept: Vec<_> = fields.into_iter().filter(|(name, _)| !is_doubtful(name)).collect();
        let mut left: Vec<_> = head.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        // The fields of one name keep their order, and that order is all that has a meaning.
        kept.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
        left.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
        assert_eq!(left, kept);
    }
}

fn policy(underscores: HeaderMapPolicy) -> Policy {
    let trusted = AddressList::parse(["10.0.0.0/8"]).unwrap_or_else(|problem| panic!("{problem}"));
    Policy {
        underscores,
        forwarder_headers: FORWARDER.map(HeaderName::from_static).to_vec(),
        secure_scheme_headers: SECURE.map(|(name, value)| (HeaderName::from_static(name), value.to_owned())).to_vec(),
        trusted,
    }
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(&line[colon + 1..]).ok()?))
}

/// For each field about the scheme, whether it says that the client speaks TLS.
fn said(fields: &[(HeaderName, HeaderValue)]) -> impl Iterator<Item = bool> {
    fields.iter().filter_map(|(name, value)| {
        let (_, secure) = SECURE.iter().find(|(known, _)| name == known)?;
        Some(value == secure)
    })
}

fn contradicts(fields: &[(HeaderName, HeaderValue)]) -> bool {
    said(fields).any(|https| https) && said(fields).any(|https| !https)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_fields_put_together_at_random() {
        let mut random = fastrand::Rng::with_seed(4);
        let names =
            ["x-forwarded-proto", "X-Forwarded-Ssl", "X-FORWARDED-PROTOCOL", "script_name", "PATH_INFO", "a_b", "a"];
        let values = ["https", "on", "ssl", "http", "", "HTTPS", " on"];
        for _ in 0..20_000 {
            let mut bytes = vec![random.u8(..)];
            for _ in 0..random.usize(..5) {
                let (name, value) = (names[random.usize(..names.len())], values[random.usize(..values.len())]);
                bytes.extend(format!("{name}:{value}\n").bytes());
            }
            forwarded(&bytes);
        }
    }
}
