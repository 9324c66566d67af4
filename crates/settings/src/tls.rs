//! TLS and HTTP/2, as settings have them: names of files and numbers. Nothing here opens a file.

use crate::typed::Values;
use crate::{CipherSuite, cipher_suites};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the server speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// The certificate, followed by those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its private key; the same file where none was named.
    pub key: PathBuf,
    /// Whether clients show certificates of their own.
    pub client_certificates: ClientCertificates,
    /// Files of authorities that vouch for clients.
    pub authorities: Vec<PathBuf>,
    /// Suites of TLS 1.2, the preferred ones first.
    pub ciphers: Vec<CipherSuite>,
    /// The oldest version that is spoken.
    pub oldest: TlsVersion,
    /// The newest one.
    pub newest: TlsVersion,
    /// A client that leaves without a word has ended its stream, and has not broken it.
    pub suppress_ragged_eofs: bool,
}

impl Tls {
    /// What the values ask for; nothing without a certificate.
    pub(crate) fn of(values: &Values<'_>) -> Option<Tls> {
        let certificate = PathBuf::from(values.text("certfile")?);
        let list = values.text("ciphers").unwrap_or_else(|| "ALL".to_owned());
        let number = i64::try_from(values.number("cert_reqs")).ok();
        Some(Tls {
            key: values.text("keyfile").map_or_else(|| certificate.clone(), PathBuf::from),
            certificate,
            client_certificates: number.and_then(ClientCertificates::of_number).expect("the number was checked"),
            authorities: values.text("ca_certs").map(PathBuf::from).into_iter().collect(),
            ciphers: cipher_suites(&list).expect("the list was checked"),
            oldest: TlsVersion::Tls12,
            newest: TlsVersion::Tls13,
            suppress_ragged_eofs: values.switch("suppress_ragged_eofs"),
        })
    }
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientCertificates {
    /// They are not asked.
    Ignored,
    /// They are asked, and need not have one.
    Optional,
    /// They must.
    Required,
}

impl ClientCertificates {
    /// What the numbers of Python's ssl module mean.
    pub fn of_number(number: i64) -> Option<ClientCertificates> {
        match number {
            0 => Some(ClientCertificates::Ignored),
            1 => Some(ClientCertificates::Optional),
            2 => Some(ClientCertificates::Required),
            _ => None,
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// What HTTP is spoken, and the limits of HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// The versions, those that the server prefers first.
    pub protocols: Vec<HttpProtocol>,
    /// HTTP/2 without TLS, from trusted peers that begin with it.
    pub cleartext: bool,
    /// Streams that one connection may have at a time.
    pub max_concurrent_streams: u32,
    /// Bytes that a client may send on a stream before it is told to go on.
    pub initial_window_size: u32,
    /// The longest frame that a client may send.
    pub max_frame_size: u32,
    /// The longest list of header fields that a client may send; zero for no limit of the operator's.
    pub max_header_list_size: u32,
}

impl Http {
    pub(crate) fn of(values: &Values<'_>) -> Http {
        let protocol = |name: &String| if name == "h2" { HttpProtocol::Http2 } else { HttpProtocol::Http1 };
        let number = |name| u32::try_from(values.number(name)).unwrap_or(u32::MAX);
        let protocols: Vec<HttpProtocol> = values.texts("http_protocols").iter().map(protocol).collect();
        let may_begin = values.needed("http2_cleartext") == "prior-knowledge" && values.text("certfile").is_none();
        Http {
            cleartext: may_begin && protocols.contains(&HttpProtocol::Http2),
            protocols,
            max_concurrent_streams: number("http2_max_concurrent_streams"),
            initial_window_size: number("http2_initial_window_size"),
            max_frame_size: number("http2_max_frame_size"),
            max_header_list_size: number("http2_max_header_list_size"),
        }
    }

    /// Whether a client may speak HTTP/2 once TLS is agreed on.
    pub fn speaks_http2(&self) -> bool {
        self.protocols.contains(&HttpProtocol::Http2)
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpProtocol {
    /// HTTP/1.1, and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Layer, Origin, Settings, Value, resolve};

    fn resolved(said: &[(&str, Value)]) -> Result<Settings, String> {
        let values = said.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let layer = Layer::new(Origin::CommandLine, values);
        let resolved = resolve(&[layer], Some("app"), &Context::bare());
        resolved.map(|resolved| resolved.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_turns_tls_on() {
        assert_eq!(resolved(&[]).unwrap().tls, None);
        let tls = resolved(&[("certfile", Value::text("a.pem"))]).unwrap().tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("a.pem".into(), "a.pem".into()));
        assert_eq!((tls.client_certificates, tls.ciphers.len()), (ClientCertificates::Ignored, 6));
        let said = [
            ("certfile", Value::text("a.pem")),
            ("keyfile", Value::text("a.key")),
            ("ca_certs", Value::text("ca.pem")),
            ("cert_reqs", Value::Int(2)),
            ("ciphers", Value::text("ECDHE-RSA-AES128-GCM-SHA256")),
        ];
        let tls = resolved(&said).unwrap().tls.unwrap();
        assert_eq!((tls.key, tls.authorities), ("a.key".into(), vec!["ca.pem".into()]));
        assert_eq!(
            (tls.client_certificates, tls.ciphers),
            (ClientCertificates::Required, vec![CipherSuite::RsaAes128])
        );
    }

    #[test]
    fn half_of_tls_is_refused() {
        let sentence = resolved(&[("certfile", Value::text("a.pem")), ("cert_reqs", Value::Int(1))]).unwrap_err();
        assert!(sentence.contains("`cert_reqs = 1` (--cert-reqs) from the command line: needs ca_certs"), "{sentence}");
        let hook = ("ssl_context", Value::Callable("ssl_context".into()));
        resolved(&[("certfile", Value::text("a.pem")), ("cert_reqs", Value::Int(1)), hook]).unwrap();
    }

    #[test]
    fn http2_without_tls_needs_two_words() {
        let cleartext = |said: &[(&str, Value)]| resolved(said).unwrap().http.cleartext;
        let (both, begins) =
            (("http_protocols", Value::text("h2,h1")), ("http2_cleartext", Value::text("prior-knowledge")));
        assert!(cleartext(&[both.clone(), begins.clone()]));
        assert!(!cleartext(std::slice::from_ref(&begins)));
        assert!(!cleartext(&[both, begins, ("certfile", Value::text("a.pem"))]));
    }
}
