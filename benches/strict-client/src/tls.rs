//! Clients that speak TLS. They trust everybody: what a server shows is for others to look at.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    SupportedProtocolVersion, version,
};

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// How a client speaks TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsClient {
    versions: Option<&'static SupportedProtocolVersion>,
    suites: Vec<CipherSuite>,
    alpn: Vec<&'static str>,
    identity: Option<Identity>,
    name: Option<&'static str>,
}

impl TlsClient {
    /// Asks for a server of this name; others ask for `localhost`.
    pub fn asks_for(name: &'static str) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// TLS 1.2 and nothing else.
    pub fn tls12() -> Self {
        Self { versions: Some(&version::TLS12), ..Self::default() }
    }

    /// TLS 1.3 and nothing else.
    pub fn tls13() -> Self {
        Self { versions: Some(&version::TLS13), ..Self::default() }
    }

    /// Knows only these cipher suites.
    pub fn suites(self, suites: &[CipherSuite]) -> Self {
        Self { suites: suites.to_vec(), ..self }
    }

    /// Speaks one of these protocols.
    pub fn speaks(alpn: &[&'static str]) -> Self {
        Self { alpn: alpn.to_vec(), ..Self::default() }
    }

    /// Shows a certificate.
    pub fn with(identity: &Identity) -> Self {
        Self { identity: Some(identity.clone()), ..Self::default() }
    }

    /// A session that has not begun.
    pub fn session(&self) -> ClientConnection {
        let mut provider = ring::default_provider();
        if !self.suites.is_empty() {
            provider.cipher_suites.retain(|suite| self.suites.contains(&suite.suite()));
        }
        let provider = Arc::new(provider);
        let trusting = Arc::new(Trusting(Arc::clone(&provider)));
        let versions = self.versions.map_or_else(|| vec![&version::TLS12, &version::TLS13], |only| vec![only]);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("these versions have suites")
            .dangerous()
            .with_custom_certificate_verifier(trusting);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain =
                    CertificateDer::pem_slice_iter(certificate.as_bytes()).map(|der| der.expect("PEM")).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a key fits its certificate")
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(self.name.unwrap_or("localhost")).expect("a name");
        ClientConnection::new(Arc::new(config), name).expect("a session can begin")
    }
}

/// Believes every certificate.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
