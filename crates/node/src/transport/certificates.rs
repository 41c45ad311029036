//! What the server shows of itself, and whom it asks to show something.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Error, Result};
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthClients {
    /// They must.
    #[default]
    Yes,
    /// They need not, and are not asked to.
    No,
    /// They may; what they show must be good.
    Optional,
}

impl AuthClients {
    /// From its name in the configuration.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Yes, Self::No, Self::Optional]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(text))
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Optional => "optional",
        }
    }
}

/// Where certificates are.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// PEM file with the certificate of the server and those between it and a root.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// PEM file with the roots that certificates of clients come from.
    pub roots: PathBuf,
    /// Whether clients show certificates.
    pub auth_clients: AuthClients,
}

/// The files in use and what was read from them.
///
/// **Concurrency**: any thread. Connections keep what they began with.
pub(crate) struct Certificates {
    current: Mutex<(TlsFiles, Option<Arc<ServerConfig>>)>,
}

impl Certificates {
    /// Without reading anything: no TLS.
    pub(crate) fn unread(files: TlsFiles) -> Self {
        Self { current: Mutex::new((files, None)) }
    }

    pub(crate) fn files(&self) -> TlsFiles {
        self.current.lock().0.clone()
    }

    /// For a new connection; `None` when there is no TLS.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        self.current.lock().1.clone()
    }

    /// Reads the files again, or others. Only when all are good new connections use them.
    ///
    /// # Errors
    /// `Invalid`, with the file that is wrong.
    pub(crate) fn load(&self, files: TlsFiles) -> Result<()> {
        let config = read(&files)?;
        *self.current.lock() = (files, Some(Arc::new(config)));
        Ok(())
    }

    /// Notes other files without reading them: there is no TLS.
    pub(crate) fn set_files(&self, files: TlsFiles) {
        self.current.lock().0 = files;
    }
}

/// What the files say.
///
/// # Errors
/// `Invalid`, with the file that is wrong.
pub(crate) fn read(files: &TlsFiles) -> Result<ServerConfig> {
    let chain = certificates(&files.certificate, "tls_cert_file")?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, "tls_key_file", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS has no protocol version: {error}")))?;
    let builder = match files.auth_clients {
        AuthClients::No => builder.with_no_client_auth(),
        asked => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots(&files.roots)?, provider);
            let verifier = match asked {
                AuthClients::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| wrong(&files.roots, "tls_ca_cert_file", &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&files.certificate, "tls_cert_file, tls_key_file", &error))
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path, "tls_ca_cert_file")? {
        store.add(certificate).map_err(|error| wrong(path, "tls_ca_cert_file", &error))?;
    }
    Ok(Arc::new(store))
}

fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>> {
    if path.as_os_str().is_empty() {
        return Err(Error::invalid(format!("TLS needs a file: set {setting}")));
    }
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(path, setting, &error))?;
    if found.is_empty() {
        return Err(wrong(path, setting, &"it holds no certificate"));
    }
    Ok(found)
}

fn wrong(path: &Path, setting: &str, why: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("cannot use {}: {why}; check {setting}", path.display()))
}
