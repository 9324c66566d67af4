//! Lets the kernel tell where source files may have changed: inotify, through the notify crate.
//!
//! The crate's thread is born in the worker, after the fork, and does nothing but send hints.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, INotifyWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Where to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// At this path something happened.
    At(PathBuf),
    /// The kernel has lost count.
    Anywhere,
}

impl Hint {
    /// The directory of what it is about.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::At(path) => path.parent(),
            Self::Anywhere => None,
        }
    }
}

/// Watches directories and not files: editors put a new file in the place of the old one.
pub(crate) struct Watch {
    watcher: INotifyWatcher,
    /// From a directory as files are named with it to the one that is watched.
    directories: HashMap<PathBuf, PathBuf>,
}

impl Watch {
    /// Watches nothing yet. The hints come from another thread; they end with the watch.
    pub(crate) fn open() -> notify::Result<(Self, UnboundedReceiver<Hint>)> {
        let (sender, hints) = unbounded_channel();
        let handler = move |event: notify::Result<Event>| {
            for hint in hints_of(event) {
                // Nobody listens any more where the worker is about to end.
                let _ = sender.send(hint);
            }
        };
        let watcher = INotifyWatcher::new(handler, Config::default())?;
        Ok((Self { watcher, directories: HashMap::new() }, hints))
    }

    /// Watches the directory that a file is in, and that of its target where it is a link. Gives
    /// the directories by which [`Hint`]s will mean this file; none that do not exist.
    pub(crate) fn add(&mut self, file: &Path) -> notify::Result<Vec<PathBuf>> {
        let named = std::path::absolute(file)?;
        let mut files = vec![named];
        if file.is_symlink() {
            files.extend(file.canonicalize());
        }
        let mut watched = Vec::new();
        for directory in files.iter().filter_map(|file| file.parent()) {
            watched.extend(self.add_directory(directory)?);
        }
        Ok(watched)
    }

    fn add_directory(&mut self, directory: &Path) -> notify::Result<Option<PathBuf>> {
        if let Some(real) = self.directories.get(directory) {
            return Ok(Some(real.clone()));
        }
        // The kernel knows a directory by one name only, whatever links lead there.
        let Ok(real) = directory.canonicalize() else { return Ok(None) };
        self.watcher.watch(&real, RecursiveMode::NonRecursive)?;
        self.directories.insert(directory.to_owned(), real.clone());
        Ok(Some(real))
    }
}

fn hints_of(event: notify::Result<Event>) -> Vec<Hint> {
    match event {
        Ok(event) if event.need_rescan() => vec![Hint::Anywhere],
        // Files that are read: the worker's own imports among them.
        Ok(Event { kind: EventKind::Access(kind), .. }) if kind != AccessKind::Close(AccessMode::Write) => Vec::new(),
        Ok(event) => event.paths.into_iter().map(Hint::At).collect(),
        Err(_) => vec![Hint::Anywhere],
    }
}
