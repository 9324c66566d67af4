//! Which headers are believed, and from whom: names with underscores, and a proxy's word about
//! the scheme.

use ferricorn_application::Peer;
use ferricorn_settings::{AddressList, HeaderMapPolicy, Settings};
use http::HeaderName;
use http::request::Parts;

use crate::refusal::Refusal;

/// The settings that matter here, prepared once.
pub(crate) struct Policy {
    pub(crate) underscores: HeaderMapPolicy,
    /// Names with underscores that a trusted peer may send.
    pub(crate) forwarder_headers: Vec<HeaderName>,
    /// Header and exact value by which a trusted peer says that its client speaks TLS.
    pub(crate) secure_scheme_headers: Vec<(HeaderName, String)>,
    pub(crate) trusted: AddressList,
}

impl Policy {
    /// Names that no HTTP header can have are left out: no request can bring them.
    pub(crate) fn new(settings: &Settings) -> Self {
        let name = |text: &String| HeaderName::from_bytes(text.as_bytes()).ok();
        Self {
            underscores: settings.header_map,
            forwarder_headers: settings.forwarder_headers.iter().filter_map(name).collect(),
            secure_scheme_headers: settings
                .secure_scheme_headers
                .iter()
                .filter_map(|(header, value)| Some((name(header)?, value.clone())))
                .collect(),
            trusted: settings.forwarded_allow_ips.clone(),
        }
    }

    /// Whether this peer's word is believed.
    pub(crate) fn trusts(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Tcp(address) => self.trusted.allows(address.ip()),
            Peer::Unix(_) => true,
        }
    }

    /// Drops what is not to be believed; says what a trusted peer says of whether the client speaks TLS.
    pub(crate) fn apply(&self, head: &mut Parts, peer: &Peer) -> Result<Option<bool>, Refusal> {
        if !head.headers.keys().any(|name| self.is_doubtful(name) || self.tells_scheme(name)) {
            // Most requests have nothing to believe.
            return Ok(None);
        }
        let trusts = self.trusts(peer);
        self.judge_underscores(head, trusts)?;
        if trusts { self.forwarded_scheme(head) } else { Ok(None) }
    }

    fn is_doubtful(&self, name: &HeaderName) -> bool {
        self.underscores != HeaderMapPolicy::Dangerous && name.as_str().contains('_')
    }

    fn tells_scheme(&self, name: &HeaderName) -> bool {
        self.secure_scheme_headers.iter().any(|(telling, _)| telling == name)
    }

    fn judge_underscores(&self, head: &mut Parts, trusts: bool) -> Result<(), Refusal> {
        let doubtful: Vec<HeaderName> = head
            .headers
            .keys()
            .filter(|name| self.is_doubtful(name) && !(trusts && self.forwarder_headers.contains(name)))
            .cloned()
            .collect();
        for name in doubtful {
            if self.underscores == HeaderMapPolicy::Refuse {
                return Err(Refusal::field_name(name.as_str().to_ascii_uppercase().as_bytes()));
            }
            head.headers.remove(name);
        }
        Ok(())
    }

    fn forwarded_scheme(&self, head: &Parts) -> Result<Option<bool>, Refusal> {
        let mut said = None;
        for (name, secure) in &self.secure_scheme_headers {
            for value in head.headers.get_all(name) {
                let https = value.as_bytes() == secure.as_bytes();
                if said.is_some_and(|before| before != https) {
                    return Err(Refusal::bad("Contradictory scheme headers".to_owned()));
                }
                said = Some(https);
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(underscores: HeaderMapPolicy) -> Policy {
        Policy {
            underscores,
            forwarder_headers: vec![HeaderName::from_static("script_name")],
            secure_scheme_headers: vec![
                (HeaderName::from_static("x-forwarded-proto"), "https".to_owned()),
                (HeaderName::from_static("x-forwarded-ssl"), "on".to_owned()),
            ],
            trusted: AddressList::parse(["127.0.0.1"]).unwrap(),
        }
    }

    fn apply(policy: &Policy, headers: &[(&str, &str)], peer: &str) -> (Result<Option<bool>, Refusal>, Vec<String>) {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let result = policy.apply(&mut head, &Peer::Tcp(format!("{peer}:1").parse().unwrap()));
        (result, head.headers.keys().map(|name| name.to_string()).collect())
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let policy = policy(HeaderMapPolicy::Drop);
        let sent = [("script_name", "/app"), ("x_other", "1"), ("x-forwarded-proto", "https")];
        let (trusted, kept) = apply(&policy, &sent, "127.0.0.1");
        assert_eq!((trusted, kept), (Ok(Some(true)), vec!["script_name".to_owned(), "x-forwarded-proto".to_owned()]));
        let (stranger, kept) = apply(&policy, &sent, "10.0.0.1");
        assert_eq!((stranger, kept), (Ok(None), vec!["x-forwarded-proto".to_owned()]));
    }

    #[test]
    fn contradictions_and_refused_names_are_bad_requests() {
        let both = [("x-forwarded-proto", "https"), ("x-forwarded-ssl", "off")];
        let twice = [("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")];
        assert!(apply(&policy(HeaderMapPolicy::Drop), &twice, "127.0.0.1").0.is_err());
        assert!(apply(&policy(HeaderMapPolicy::Drop), &both, "127.0.0.1").0.is_err());
        assert!(apply(&policy(HeaderMapPolicy::Refuse), &[("x_y", "1")], "127.0.0.1").0.is_err());
        assert_eq!(apply(&policy(HeaderMapPolicy::Dangerous), &[("x_y", "1")], "10.0.0.1").1, ["x_y"]);
    }
}
