//! Which certificate a client is shown, where the application's author has a say in it.

use std::path::PathBuf;

/// A certificate and its key, as names of files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The certificate, followed by those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Chooses by the name of the server that a client asks for.
pub trait CertificateChooser: Send + Sync {
    /// Called in each handshake, on the worker's main thread. `None`: this client is turned away. The error is the whole text for the
    /// operator, and turns the client away as well.
    fn choose(&self, name: Option<&str>) -> Result<Option<CertificateFiles>, String>;
}

/// Who chooses, and from what.
pub struct CertificateChoice {
    /// Who chooses.
    pub chooser: Box<dyn CertificateChooser>,
    /// What may be chosen, as far as that is known before anybody asks. It is read while there are still the privileges to.
    pub known: Vec<CertificateFiles>,
}
