//! TLS, from the settings to the handshake.
//!
//! It is made in the mold, where there are still the privileges to read keys, and inherited by
//! the workers: a generation has one certificate, and its workers know each other's tickets.

use std::fmt;
use std::io;
use std::sync::Arc;

use ferricorn_application::{CertificateChoice, TlsFacts};
use ferricorn_settings::{CipherSuite, ClientCertificates, Http, HttpProtocol, Tls as TlsSettings, TlsVersion};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::{self, cipher_suite as suites};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{
    CipherSuite as Code, Error, ProtocolVersion, ServerConfig, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion, version,
};

use crate::certificates;
use crate::secured::Secured;
use crate::sni::Chosen;
use crate::socket::Raw;

/// What HTTP versions are called while TLS is agreed on.
pub(crate) const ALPN_HTTP_1: &[u8] = b"http/1.1";
pub(crate) const ALPN_HTTP_2: &[u8] = b"h2";

/// A server's certificate and all it says to clients before HTTP.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    forgives_ragged_ends: bool,
}

impl Tls {
    /// Reads the files. `choice`: clients may be shown another certificate than that of the settings. The error is one sentence.
    pub fn open(settings: &TlsSettings, http: &Http, choice: Option<CertificateChoice>) -> Result<Self, String> {
        let chain = certificates::chain(&settings.certificate)?;
        let key = certificates::key(&settings.key)?;
        let provider = Arc::new(provider(&settings.ciphers));
        let verifier = verifier(settings, &provider)?;
        let unusable = |error: Error| format!("TLS cannot be set up: {error}");
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(settings.oldest, settings.newest))
            .map_err(unusable)?;
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let unfit = |error| certificates::unfit(&settings.certificate, &settings.key, &error);
        let mut config = match choice {
            None => builder.with_single_cert(chain, key).map_err(unfit)?,
            Some(choice) => builder.with_cert_resolver(Arc::new(Chosen::new(choice, provider)?)),
        };
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        config.alpn_protocols = alpn(http);
        // As Python's contexts have it.
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(config), forgives_ragged_ends: settings.suppress_ragged_eofs })
    }

    /// Agrees with a client.
    pub(crate) async fn shake_hands(&self, raw: Raw) -> io::Result<(Secured, TlsFacts)> {
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(raw).await?;
        let facts = facts(stream.get_ref().1);
        Ok((Secured::new(stream, self.forgives_ragged_ends), facts))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// All suites of TLS 1.3, and those of TLS 1.2 that were chosen.
fn provider(chosen: &[CipherSuite]) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    provider.cipher_suites.extend(chosen.iter().copied().map(suite));
    provider
}

fn suite(chosen: CipherSuite) -> SupportedCipherSuite {
    match chosen {
        CipherSuite::EcdsaAes256 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::RsaAes256 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdsaChacha20 => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::RsaChacha20 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::EcdsaAes128 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::RsaAes128 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    }
}

fn versions(oldest: TlsVersion, newest: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::Tls13, &version::TLS13), (TlsVersion::Tls12, &version::TLS12)];
    all.into_iter().filter(|(version, _)| (oldest..=newest).contains(version)).map(|(_, version)| version).collect()
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let authorities = Arc::new(certificates::authorities(&settings.authorities)?);
    let builder = WebPkiClientVerifier::builder_with_provider(authorities, Arc::clone(provider));
    let builder = match settings.client_certificates {
        ClientCertificates::Ignored => return Ok(None),
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Required => builder,
    };
    builder.build().map(Some).map_err(|error| format!("certificates of clients cannot be checked: {error}"))
}

/// Nothing where there is nothing to choose from. A client that knows HTTP/1.1 alone is served in
/// any case.
fn alpn(http: &Http) -> Vec<Vec<u8>> {
    if !http.speaks_http2() {
        return Vec::new();
    }
    let name = |protocol: &HttpProtocol| match protocol {
        HttpProtocol::Http1 => ALPN_HTTP_1.to_vec(),
        HttpProtocol::Http2 => ALPN_HTTP_2.to_vec(),
    };
    let mut names: Vec<Vec<u8>> = http.protocols.iter().map(name).collect();
    if !names.iter().any(|name| name == ALPN_HTTP_1) {
        names.push(ALPN_HTTP_1.to_vec());
    }
    names
}

fn facts(session: &ServerConnection) -> TlsFacts {
    let (cipher, bits) = session.negotiated_cipher_suite().map_or(("", 0), |suite| cipher(suite.suite()));
    TlsFacts {
        version: if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { "TLSv1.3" } else { "TLSv1.2" },
        cipher,
        bits,
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        peer_certificate: session
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|certificate| certificate.as_ref().to_vec()),
    }
}

/// OpenSSL's name of a suite, and how many bits its keys have.
fn cipher(code: Code) -> (&'static str, u16) {
    let found = CipherSuite::ALL.into_iter().find(|known| suite(*known).suite() == code);
    let name = match (found, code) {
        (Some(known), _) => known.name(),
        (None, Code::TLS13_AES_256_GCM_SHA384) => "TLS_AES_256_GCM_SHA384",
        (None, Code::TLS13_AES_128_GCM_SHA256) => "TLS_AES_128_GCM_SHA256",
        (None, _) => "TLS_CHACHA20_POLY1305_SHA256",
    };
    (name, if name.contains("AES128") || name.contains("AES_128") { 128 } else { 256 })
}
