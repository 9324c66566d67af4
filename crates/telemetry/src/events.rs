//! The pipe on which workers report to the master: short frames, each written at once, so that
//! those of several workers never mix.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ferricorn_unix::process::ProcessId;

const FRAME: usize = 8;

/// What a worker reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its application is loaded and it is about to accept.
    Ready,
    /// It has served its share: please start a successor, and let it go when that is ready.
    Replace,
    /// A source file of its application has changed (only with `--reload`).
    SourceChanged,
}

/// One report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The worker that reports.
    pub worker: ProcessId,
    /// What it reports.
    pub kind: Kind,
}

/// The workers' end.
#[derive(Debug)]
pub struct Reporter(File);

impl Reporter {
    /// Takes the write end of the pipe.
    pub fn new(descriptor: OwnedFd) -> Self {
        Self(File::from(descriptor))
    }

    /// Another handle of the same pipe.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Reports for the calling process. Fails when the master is gone.
    pub fn report(&self, kind: Kind) -> io::Result<()> {
        let mut frame = [0; FRAME];
        frame[..4].copy_from_slice(&ProcessId::current().as_raw().to_ne_bytes());
        frame[4] = match kind {
            Kind::Ready => 1,
            Kind::Replace => 2,
            Kind::SourceChanged => 3,
        };
        (&self.0).write_all(&frame)
    }
}

impl AsFd for Reporter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The master's end: a non-blocking pipe.
#[derive(Debug)]
pub struct Reports {
    file: File,
    /// What was read of a frame that is still arriving.
    partial: Vec<u8>,
}

impl Reports {
    /// Takes the read end of the pipe.
    pub fn new(descriptor: OwnedFd) -> Self {
        Self { file: File::from(descriptor), partial: Vec::new() }
    }

    /// Everything reported so far.
    pub fn take(&mut self) -> io::Result<Vec<Event>> {
        let mut buffer = [0; 512 * FRAME];
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.partial.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let whole = self.partial.len() / FRAME * FRAME;
        let frames: Vec<u8> = self.partial.drain(..whole).collect();
        Ok(frames.chunks_exact(FRAME).filter_map(decode).collect())
    }
}

/// `None` for a frame that no version of this program writes.
fn decode(frame: &[u8]) -> Option<Event> {
    let raw = i32::from_ne_bytes(frame[..4].try_into().ok()?);
    let kind = match frame[4] {
        1 => Kind::Ready,
        2 => Kind::Replace,
        3 => Kind::SourceChanged,
        _ => return None,
    };
    Some(Event { worker: ProcessId::from_raw(raw)?, kind })
}

impl AsFd for Reports {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_arrive_in_order() {
        let (read, write) = ferricorn_unix::descriptor::pipe().unwrap();
        let (mut reports, reporter) = (Reports::new(read), Reporter::new(write));
        assert_eq!(reports.take().unwrap(), []);
        reporter.report(Kind::Ready).unwrap();
        reporter.report(Kind::Replace).unwrap();
        let worker = ProcessId::current();
        let expected = [Event { worker, kind: Kind::Ready }, Event { worker, kind: Kind::Replace }];
        assert_eq!(reports.take().unwrap(), expected);
    }
}
