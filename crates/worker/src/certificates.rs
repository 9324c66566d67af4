//! Certificates and keys, read from files in PEM. Every error is one sentence for the operator.

use std::fs;
use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};

/// Marks of keys that ask for a password, in both of their forms.
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"ENCRYPTED\n"];

/// The server's own certificate, and those behind it.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates("certfile", path)
}

/// The first key of a file.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read("keyfile", path)?;
    if ENCRYPTED.iter().any(|mark| memchr::memmem::find(&text, mark).is_some()) {
        return Err(format!(
            "the key in '{}' is encrypted, and nobody can type a password here: decrypt it (openssl pkey -in ... -out ...)",
            path.display()
        ));
    }
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| format!("keyfile '{}' has no private key in PEM: {error}", path.display()))
}

/// Why a certificate and a key are no use together.
pub(crate) fn unfit(certificate: &Path, key: &Path, error: &Error) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("keyfile '{key}' is not the key of the first certificate in certfile '{certificate}'")
        }
        error => format!("certfile '{certificate}' and keyfile '{key}' cannot be used: {error}"),
    }
}

/// Those who vouch for clients.
pub(crate) fn authorities(paths: &[impl AsRef<Path>]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for path in paths {
        let path = path.as_ref();
        for certificate in certificates("ca_certs", path)? {
            let unusable =
                |error| format!("ca_certs '{}' has a certificate that cannot be used: {error}", path.display());
            store.add(certificate).map_err(unusable)?;
        }
    }
    Ok(store)
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(setting, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{setting} '{}' has no certificate in PEM", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{setting} '{}' is not PEM: {error}", path.display())),
    }
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{setting} '{}' cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file.into_temp_path()
    }

    #[test]
    fn files_that_are_no_use_are_named() {
        assert_eq!(
            chain(Path::new("/no/such")).unwrap_err(),
            "certfile '/no/such' cannot be read: No such file or directory (os error 2)"
        );
        let empty = file("nothing");
        assert_eq!(chain(&empty).unwrap_err(), format!("certfile '{}' has no certificate in PEM", empty.display()));
        assert!(key(&empty).unwrap_err().contains("has no private key in PEM"));
        assert!(authorities(&[&empty]).unwrap_err().starts_with("ca_certs '"));
        let broken = file("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
        assert!(chain(&broken).unwrap_err().contains("is not PEM: "));
        for mark in
            ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"]
        {
            assert!(key(&file(mark)).unwrap_err().contains("is encrypted"));
        }
    }
}
