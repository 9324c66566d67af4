//! What Python makes of TLS, and what it is told of it: `ferricorn._tls`.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::path::PathBuf;

use ferricorn_application::{CertificateChoice, CertificateChooser, CertificateFiles, Connection, TlsFacts};
use ferricorn_server::RevisedTls;
use ferricorn_settings::{ClientCertificates, Tls, TlsVersion, cipher_suites};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::traceback;

/// Takes over what the `ssl_context` hook has made of what was asked for; `None` if there is no such hook. The inner error
/// is one sentence.
pub(crate) fn revise(asked: Tls, revised: &Bound<'_, PyAny>) -> PyResult<Result<RevisedTls, String>> {
    if revised.is_none() {
        return Ok(Ok(RevisedTls { settings: asked, choice: None }));
    }
    let number: i64 = revised.get_item("client_certificates")?.extract()?;
    let list: Option<String> = revised.get_item("ciphers")?.extract()?;
    let ciphers = match list.as_deref().map(cipher_suites) {
        None => asked.ciphers,
        Some(Ok(suites)) => suites,
        Some(Err(problem)) => return Ok(Err(format!("`ssl_context`: the list of ciphers: {problem}"))),
    };
    let settings = Tls {
        certificate: revised.get_item("certificate")?.extract()?,
        key: revised.get_item("key")?.extract()?,
        client_certificates: ClientCertificates::of_number(number).unwrap_or(asked.client_certificates),
        authorities: revised.get_item("authorities")?.extract()?,
        ciphers,
        oldest: version(&revised.get_item("oldest")?)?,
        newest: version(&revised.get_item("newest")?)?,
        suppress_ragged_eofs: asked.suppress_ragged_eofs,
    };
    Ok(Ok(RevisedTls { settings, choice: choice(revised)? }))
}

/// Who chooses among certificates, if anybody does.
fn choice(revised: &Bound<'_, PyAny>) -> PyResult<Option<CertificateChoice>> {
    let context = revised.get_item("chooser")?;
    if context.is_none() {
        return Ok(None);
    }
    let known: Vec<(PathBuf, PathBuf)> = revised.get_item("others")?.extract()?;
    let known = known.into_iter().map(|(certificate, key)| CertificateFiles { certificate, key }).collect();
    Ok(Some(CertificateChoice { chooser: Box::new(SniCallback { context: context.unbind() }), known }))
}

/// The `sni_callback` of a context.
struct SniCallback {
    context: Py<PyAny>,
}

impl CertificateChooser for SniCallback {
    fn choose(&self, name: Option<&str>) -> Result<Option<CertificateFiles>, String> {
        Python::attach(|py| {
            let asked = || py.import("ferricorn._tls")?.call_method1("chosen", (&self.context, name))?.extract();
            let chosen: PyResult<Option<(PathBuf, PathBuf)>> = asked();
            let files = |(certificate, key)| CertificateFiles { certificate, key };
            chosen.map(|chosen| chosen.map(files)).map_err(|error| traceback(py, &error))
        })
    }
}

fn version(minor: &Bound<'_, PyAny>) -> PyResult<TlsVersion> {
    Ok(if minor.extract::<u8>()? < 3 { TlsVersion::Tls12 } else { TlsVersion::Tls13 })
}

/// A client's socket as a Python object.
pub(crate) fn socket<'py>(py: Python<'py>, connection: &Connection) -> PyResult<Bound<'py, PyAny>> {
    let copy = connection.socket.as_fd().try_clone_to_owned()?;
    let number = copy.as_raw_fd();
    let made = match connection.tls.get() {
        None => {
            let kwargs = pyo3::types::IntoPyDict::into_py_dict([("fileno", number)], py)?;
            py.import("socket")?.getattr("socket")?.call((), Some(&kwargs))?
        }
        Some(TlsFacts { version, cipher, bits, alpn, peer_certificate }) => {
            let certificate = peer_certificate.as_deref().map(|certificate| PyBytes::new(py, certificate));
            let facts = (number, version, cipher, bits, alpn, certificate);
            py.import("ferricorn._tls")?.getattr("TlsSocket")?.call1(facts)?
        }
    };
    // The Python object owns the copy from here on.
    let _ = copy.into_raw_fd();
    Ok(made)
}
