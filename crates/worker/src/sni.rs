//! One of several certificates, by the name that a client asks for (SNI).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ferricorn_application::{CertificateChoice, CertificateChooser, CertificateFiles};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::certificates;

/// So many certificates are kept; whoever chooses among more has them read again.
const KEPT: usize = 1000;

/// Shows each client the certificate that is chosen for it.
pub(crate) struct Chosen {
    chooser: Box<dyn CertificateChooser>,
    provider: Arc<CryptoProvider>,
    loaded: Mutex<HashMap<CertificateFiles, Arc<CertifiedKey>>>,
}

impl Chosen {
    /// Reads what is known already. The error is one sentence.
    pub(crate) fn new(choice: CertificateChoice, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let chosen = Self { chooser: choice.chooser, provider, loaded: Mutex::default() };
        choice.known.into_iter().try_for_each(|files| chosen.load(files).map(drop))?;
        Ok(chosen)
    }

    /// A certificate is as old as its generation, like the one of the settings.
    fn load(&self, files: CertificateFiles) -> Result<Arc<CertifiedKey>, String> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.get(&files) {
            return Ok(Arc::clone(known));
        }
        let (chain, key) = (certificates::chain(&files.certificate)?, certificates::key(&files.key)?);
        let certified = CertifiedKey::from_der(chain, key, &self.provider);
        let certified = certified.map_err(|error| certificates::unfit(&files.certificate, &files.key, &error))?;
        if loaded.len() >= KEPT {
            loaded.clear();
        }
        let certified = Arc::new(certified);
        loaded.insert(files, Arc::clone(&certified));
        Ok(certified)
    }
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        let chosen = self.chooser.choose(name).and_then(|files| files.map(|files| self.load(files)).transpose());
        chosen.unwrap_or_else(|problem| {
            log::error!("There is no certificate for a client that asks for {}: {problem}", name.unwrap_or("no name"));
            None
        })
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Chosen").finish_non_exhaustive()
    }
}
