//! Certificates of a test's own.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub(crate) use strict_client::tls::{Identity, TlsClient};

use super::launch::Launch;

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

/// The certificate that a file has, as a server shows it.
pub(crate) fn der(identity: &Identity) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM")
}
