//! TLS to the server, with libpq's meaning of `sslmode`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::options::{Options, SslMode};
use crate::socket::NoWay;

/// Where libpq looks if nobody says where the authorities are, below the user's directory.
const USUAL_ROOT: &str = ".postgresql/root.crt";
/// The same for our own certificate.
const USUAL_CERTIFICATE: &str = ".postgresql/postgresql.crt";
/// The same for its key.
const USUAL_KEY: &str = ".postgresql/postgresql.key";

fn usual(file: &str) -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(file)).filter(|path| path.exists())
}

/// Turns a connection whose server has agreed to TLS into one with TLS.
pub(crate) async fn shake_hands(
    options: &Options,
    configuration: ClientConfig,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, NoWay> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| NoWay::Tls(error.to_string()))?;
    let made = TlsConnector::from(Arc::new(configuration)).connect(name, stream).await;
    made.map_err(|error| NoWay::Tls(format!("the server and we could not agree on SSL: {}", explain(options, &error))))
}

/// Why hands were not shaken; where the server was not believed, who was asked about it.
fn explain(options: &Options, error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match (cause, root(options)) {
        (Some(Error::InvalidCertificate(_)), Some(root)) => format!("{error} (sslrootcert '{}')", root.display()),
        _ => error.to_string(),
    }
}

/// The error is one sentence.
pub(crate) fn configure(options: &Options) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier {
        authorities: authorities(options, &provider)?,
        mode: options.sslmode,
        provider: Arc::clone(&provider),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(path) = options.sslcert.clone().or_else(|| usual(USUAL_CERTIFICATE)) else {
        return Ok(builder.with_no_client_auth());
    };
    let key_path = options.sslkey.clone().or_else(|| usual(USUAL_KEY));
    let key_path = key_path.ok_or("sslcert needs sslkey: the file of its key")?;
    let chain = certificates("sslcert", &path)?;
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| unusable("sslkey", &key_path, &error))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        format!("sslcert '{}' cannot be used with sslkey '{}': {error}", path.display(), key_path.display())
    })
}

/// The file of the authorities.
fn root(options: &Options) -> Option<PathBuf> {
    options.sslrootcert.clone().or_else(|| usual(USUAL_ROOT))
}

/// `None` where nobody is asked who the server is.
fn authorities(options: &Options, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
    let Some(path) = root(options) else {
        return match options.sslmode {
            SslMode::VerifyCa | SslMode::VerifyFull => Err(format!(
                "root certificate file \"~/{USUAL_ROOT}\" does not exist: name one with sslrootcert, or change sslmode \
                 to disable server certificate verification"
            )),
            _ => Ok(None),
        };
    };
    if matches!(options.sslmode, SslMode::Disable | SslMode::Prefer) {
        return Ok(None);
    }
    let mut store = RootCertStore::empty();
    for certificate in certificates("sslrootcert", &path)? {
        store.add(certificate).map_err(|error| unusable("sslrootcert", &path, &error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build();
    verifier.map(Some).map_err(|error| unusable("sslrootcert", &path, &error))
}

fn certificates(name: &str, path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(format!("{name} '{}' has no certificate in PEM", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(name, path, &error)),
    }
}

fn unusable(name: &str, path: &Path, error: &dyn std::error::Error) -> String {
    format!("{name} '{}' cannot be used: {error}", path.display())
}

/// What `sslmode` asks for: nothing, a chain, or a chain and a name.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    mode: SslMode,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(certificate, chain, name, ocsp, now) {
            // The chain is checked before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode != SslMode::VerifyFull => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
