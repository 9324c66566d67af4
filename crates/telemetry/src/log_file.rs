//! A log file, or a standard stream in its place, that can be reopened after a rotation.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where lines go. Opened for appending, so that several processes can share it line by line.
#[derive(Debug)]
pub struct LogFile {
    /// The path to open again; `None` for a standard stream.
    path: Option<PathBuf>,
    /// Held for one write at a time; the processes that use it have one thread that logs.
    file: Mutex<File>,
    /// Whether this process's standard output goes here too, and must follow a reopening.
    captures_output: AtomicBool,
}

/// Which standard stream `-` stands for.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Standard output, for the access log.
    Output,
    /// Standard error, for the error log.
    Error,
}

impl LogFile {
    /// Opens (or creates) the file at `path`; `-` is the standard stream.
    pub fn open(path: &str, stream: Stream) -> io::Result<Self> {
        if path == "-" {
            let copy = match stream {
                Stream::Output => std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?,
                Stream::Error => std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?,
            };
            return Ok(Self {
                path: None,
                file: Mutex::new(File::from(copy)),
                captures_output: AtomicBool::new(false),
            });
        }
        let path = std::path::absolute(path)?;
        let file = append_to(&path)?;
        Ok(Self { path: Some(path), file: Mutex::new(file), captures_output: AtomicBool::new(false) })
    }

    /// The file's absolute path; `None` for a standard stream.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens the path anew; on an error the old file stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            let file = append_to(path)?;
            *self.lock() = file;
            if self.captures_output.load(Ordering::Relaxed) {
                self.capture_output()?;
            }
        }
        Ok(())
    }

    /// Writes all of it at once.
    pub fn write(&self, lines: &[u8]) -> io::Result<()> {
        self.lock().write_all(lines)
    }

    /// Makes this process's standard output and error go here too. Nothing for a standard stream.
    pub fn capture_output(&self) -> io::Result<()> {
        if self.path.is_some() {
            self.captures_output.store(true, Ordering::Relaxed);
            ferricorn_unix::descriptor::redirect_output(&self.lock())?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, File> {
        // A panic between two writes leaves nothing half-changed here.
        self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reopening_follows_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = LogFile::open(path.to_str().unwrap(), Stream::Error).unwrap();
        log.write(b"before\n").unwrap();
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        log.write(b"still the old file\n").unwrap();
        log.reopen().unwrap();
        log.write(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
        let old = std::fs::read_to_string(folder.path().join("log.1")).unwrap();
        assert_eq!(old, "before\nstill the old file\n");
    }
}
