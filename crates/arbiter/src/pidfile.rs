//! The pid file: `<pid>\n`, replaced in one step, removed only while it is still ours.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ferricorn_unix::process::ProcessId;

/// Why there is no pid file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PidFileError {
    #[error("Already running on PID {pid} (or pid file '{}' is stale)", path.display())]
    AlreadyRunning { pid: ProcessId, path: PathBuf },
    #[error("cannot write pid file '{}': {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
}

/// A pid file that names this process. Removed on drop.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Fails when the file names another process that lives.
    pub(crate) fn check(path: &Path) -> Result<(), PidFileError> {
        match fs::read_to_string(path).ok().and_then(|text| text.parse::<ProcessId>().ok()) {
            Some(pid) if pid != ProcessId::current() && pid.exists() => {
                Err(PidFileError::AlreadyRunning { pid, path: path.to_owned() })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn write(path: &Path) -> Result<Self, PidFileError> {
        Self::check(path)?;
        Self::replace(path).map_err(|error| PidFileError::Unwritable { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned() })
    }

    fn replace(path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{}", ProcessId::current())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = fs::read_to_string(&self.path).ok().and_then(|text| text.parse().ok());
        if ours == Some(ProcessId::current())
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("Cannot remove pid file '{}': {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_files_are_replaced_and_live_ones_respected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        for stale in ["garbage", "999999999\n", ""] {
            fs::write(&path, stale).unwrap();
            let file = PidFile::write(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
            drop(file);
            assert!(!path.exists());
        }
        fs::write(&path, "1\n").unwrap();
        let error = PidFile::write(&path).unwrap_err().to_string();
        assert_eq!(error, format!("Already running on PID 1 (or pid file '{}' is stale)", path.display()));
        assert!(PidFile::write(&folder.path().join("none/pid")).is_err());
    }
}
