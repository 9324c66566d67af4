//! The birth of a worker. It begins its life when the master has been told of it: one whose mold ends before leaves as if
//! it had never been, so that there is no worker of which nobody knows.

use std::io::{self, PipeReader, PipeWriter, Read, Write};

use ferricorn_unix::process::{self, Fork, ProcessId, exit_now};

use crate::host::Host;

/// Where this process finds itself after a fork.
#[derive(Debug)]
pub(crate) enum Birth {
    /// It is the mold.
    InMold(Newborn),
    /// It is the worker, and the master knows of it.
    InWorker,
}

/// A worker that waits for its beginning. Dropped before, it leaves.
#[derive(Debug)]
pub(crate) struct Newborn {
    pub(crate) process: ProcessId,
    word: PipeWriter,
}

impl Newborn {
    /// The master has been told.
    pub(crate) fn begin(mut self) -> io::Result<()> {
        match self.word.write_all(b"!") {
            // It has been killed in the meantime, as the master will see.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

/// Forks twice: the process in between ends at once, and its orphan, the worker, becomes a child of the master, who adopts
/// orphans. When the worker begins that has happened, so whoever asks in it who its parent is hears of the master.
pub(crate) fn fork(host: &mut dyn Host) -> io::Result<Birth> {
    let (mut number, mut tell_number) = io::pipe()?;
    let (hear_word, word) = io::pipe()?;
    let forked = host.guarded(&mut || match process::fork(true)? {
        Fork::Parent(between) => Ok(Fork::Parent(between)),
        Fork::Child => match process::fork(true) {
            Ok(Fork::Parent(worker)) => {
                let told = tell_number.write_all(&worker.as_raw().to_ne_bytes());
                exit_now(if told.is_ok() { 0 } else { 1 })
            }
            Ok(Fork::Child) => Ok(Fork::Child),
            Err(_) => exit_now(1),
        },
    })?;
    drop(tell_number);
    let Fork::Parent(between) = forked else {
        drop(word);
        await_word(hear_word);
        return Ok(Birth::InWorker);
    };
    let mut raw = [0; 4];
    let told = number.read_exact(&mut raw);
    process::wait(between)?;
    told.map_err(|_| io::Error::other("the second fork failed: too many processes or too little memory"))?;
    let process = ProcessId::from_raw(i32::from_ne_bytes(raw));
    process.map(|process| Birth::InMold(Newborn { process, word })).ok_or_else(|| io::Error::other("no process number"))
}

fn await_word(mut from: PipeReader) {
    if from.read_exact(&mut [0]).is_err() {
        exit_now(0);
    }
}
