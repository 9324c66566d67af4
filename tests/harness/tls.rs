//! Certificates of a test's own, and clients that speak TLS. Clients trust everybody: what a server shows is for the
//! test to look at.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    SupportedProtocolVersion, version,
};

use super::launch::Launch;

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// A certificate for `localhost` that vouches for itself. The `name` tells it from others.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("localhost is a name");
    params.distinguished_name = named(name);
    let certificate = params.self_signed(&key).expect("a certificate can be made");
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Somebody who vouches for clients.
pub(crate) struct Authority {
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new([]).expect("no names are names");
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can be made").pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a client.
    pub(crate) fn client(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new([]).expect("no names are names");
        params.distinguished_name = named(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be made");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A server of the application `spec` with a certificate of its own, in `cert.pem` and `key.pem`.
pub(crate) fn secure(spec: &str) -> Launch {
    let Identity { certificate, key } = self_signed("first");
    let launch = Launch::app(spec).file("cert.pem", &certificate).file("key.pem", &key);
    launch.args("--certfile cert.pem --keyfile key.pem")
}

/// How a client speaks TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsClient {
    versions: Option<&'static SupportedProtocolVersion>,
    suites: Vec<CipherSuite>,
    alpn: Vec<&'static str>,
    identity: Option<Identity>,
}

impl TlsClient {
    /// TLS 1.2 and nothing else.
    pub(crate) fn tls12() -> Self {
        Self { versions: Some(&version::TLS12), ..Self::default() }
    }

    /// TLS 1.3 and nothing else.
    pub(crate) fn tls13() -> Self {
        Self { versions: Some(&version::TLS13), ..Self::default() }
    }

    /// Knows only these cipher suites.
    pub(crate) fn suites(self, suites: &[CipherSuite]) -> Self {
        Self { suites: suites.to_vec(), ..self }
    }

    /// Speaks one of these protocols.
    pub(crate) fn speaks(alpn: &[&'static str]) -> Self {
        Self { alpn: alpn.to_vec(), ..Self::default() }
    }

    /// Shows a certificate.
    pub(crate) fn with(identity: &Identity) -> Self {
        Self { identity: Some(identity.clone()), ..Self::default() }
    }

    /// A session that has not begun.
    pub(crate) fn session(&self) -> ClientConnection {
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
        let name = ServerName::try_from("localhost").expect("localhost is a name");
        ClientConnection::new(Arc::new(config), name).expect("a session can begin")
    }
}

/// The certificate that a file has, as a server shows it.
pub(crate) fn der(identity: &Identity) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM")
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
