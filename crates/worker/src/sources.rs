//! `--reload`: looks at the application's source files and tells the master when one changed.
//!
//! A look goes over everything that has been imported so far, and is due every second. Where
//! inotify works a hint from the kernel makes it look at once, at the files it is about; the look
//! every second goes on, for new imports and for what the kernel does not tell (network file
//! systems, directories that others take the place of).

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use ferricorn_settings::ReloadEngine;
use ferricorn_telemetry::events::Kind;
use glob::{MatchOptions, Pattern};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::shared::{Phase, Shared};
use crate::watch::{Hint, Watch};

/// How many hints are taken as one.
const HINTS: usize = 1024;

/// As Python matches: `*` finds neither hidden files nor other directories.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files as they were when last looked at.
pub(crate) struct Sources {
    extra_files: Vec<PathBuf>,
    extra_patterns: Vec<String>,
    known: HashMap<PathBuf, Known>,
    watch: Option<Watch>,
    /// Everything that is there when it all begins is old.
    begun: bool,
}

struct Known {
    /// `None` for a file that has never been there.
    stamp: Option<Stamp>,
    /// What the kernel calls the directories that it is in.
    directories: Vec<PathBuf>,
}

#[derive(PartialEq, Eq)]
enum Sight {
    /// Not seen before.
    New,
    Same,
    Changed,
}

/// Time of the last change, and size.
type Stamp = (SystemTime, u64);

/// Looks for the first time, and from then on whenever the kernel has a hint. Must be called
/// within the runtime.
pub(crate) fn begin(shared: &Rc<Shared>, imported: Vec<PathBuf>) -> Rc<RefCell<Sources>> {
    let (watch, hints) = open_watch(shared.settings.reload_engine).unzip();
    let mut sources = Sources::new(shared.settings.reload_extra_files.clone(), watch);
    sources.look(imported);
    let sources = Rc::new(RefCell::new(sources));
    if let Some(hints) = hints {
        tokio::task::spawn_local(heed(Rc::clone(shared), Rc::clone(&sources), hints));
    }
    sources
}

async fn heed(shared: Rc<Shared>, sources: Rc<RefCell<Sources>>, mut hints: UnboundedReceiver<Hint>) {
    let mut batch = Vec::new();
    while hints.recv_many(&mut batch, HINTS).await > 0 {
        let changed = sources.borrow_mut().look_where(&batch);
        batch.clear();
        tell(&shared, changed);
    }
}

/// Asks the master for a reload if a file has changed.
pub(crate) fn tell(shared: &Shared, changed: Option<PathBuf>) {
    if let Some(file) = changed
        && shared.phase() == Phase::Serving
    {
        log::info!("Worker reloading: {} modified", file.display());
        if let Err(error) = shared.reporter.report(Kind::SourceChanged) {
            log::error!("Cannot ask the master to reload: {error}");
        }
    }
}

impl Sources {
    fn new(extra: Vec<String>, watch: Option<Watch>) -> Self {
        let (patterns, files): (Vec<_>, Vec<_>) = extra.into_iter().partition(|entry| entry.contains(['*', '?', '[']));
        Self {
            extra_files: files.into_iter().map(PathBuf::from).collect(),
            extra_patterns: patterns.into_iter().filter(|pattern| is_usable(pattern)).collect(),
            known: HashMap::new(),
            watch,
            begun: false,
        }
    }

    /// Looks at everything; names one file that has changed. An import that is new here is only
    /// noted, a new file of the patterns is a change.
    pub(crate) fn look(&mut self, imported: Vec<PathBuf>) -> Option<PathBuf> {
        let mut changed = None;
        for file in imported.into_iter().chain(self.extra_files.clone()) {
            if self.look_at(&file) == Sight::Changed {
                changed = Some(file);
            }
        }
        for file in self.extra_patterns.clone().iter().flat_map(|pattern| matching(pattern)) {
            match self.look_at(&file) {
                Sight::Changed => changed = Some(file),
                Sight::New if self.begun => changed = Some(file),
                Sight::New | Sight::Same => {}
            }
        }
        self.begun = true;
        changed
    }

    /// Looks at the files that the hints may be about; names one that has changed.
    fn look_where(&mut self, hints: &[Hint]) -> Option<PathBuf> {
        let anywhere = hints.contains(&Hint::Anywhere);
        let hinted: HashSet<&Path> = hints.iter().filter_map(Hint::directory).collect();
        let mut changed = None;
        for (file, known) in &mut self.known {
            let is_meant = anywhere || known.directories.iter().any(|directory| hinted.contains(directory.as_path()));
            if is_meant && known.look_at(file) == Sight::Changed {
                changed = Some(file.clone());
            }
        }
        changed
    }

    fn look_at(&mut self, file: &Path) -> Sight {
        if let Some(known) = self.known.get_mut(file) {
            return known.look_at(file);
        }
        // Watched first: what happens after this stamp is told.
        let directories = self.watch(file);
        self.known.insert(file.to_owned(), Known { stamp: stamp(file), directories });
        Sight::New
    }

    fn watch(&mut self, file: &Path) -> Vec<PathBuf> {
        let Some(watch) = &mut self.watch else { return Vec::new() };
        watch.add(file).unwrap_or_else(|error| {
            log::warn!("Cannot watch {} with inotify ({error}): a look every second must do.", file.display());
            self.watch = None;
            Vec::new()
        })
    }
}

impl Known {
    /// A file that is away is no change: the one that comes in its place is.
    fn look_at(&mut self, file: &Path) -> Sight {
        let now = stamp(file);
        if now.is_none() || now == self.stamp {
            return Sight::Same;
        }
        self.stamp = now;
        Sight::Changed
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn open_watch(engine: ReloadEngine) -> Option<(Watch, UnboundedReceiver<Hint>)> {
    if engine == ReloadEngine::Poll {
        return None;
    }
    Watch::open()
        .inspect_err(|error| match engine {
            ReloadEngine::Inotify => log::warn!("Cannot use inotify ({error}): a look every second must do."),
            ReloadEngine::Auto | ReloadEngine::Poll => log::debug!("Without inotify, which fails here: {error}"),
        })
        .ok()
}

/// A pattern that makes no sense watches nothing, and the log says so.
fn is_usable(pattern: &str) -> bool {
    Pattern::new(pattern)
        .inspect_err(|error| log::error!("Cannot watch reload_extra_files '{pattern}': {error}"))
        .is_ok()
}

/// The files that match now. Folders that cannot be read hold none.
fn matching(pattern: &str) -> Vec<PathBuf> {
    // Python's `**` at the end finds files; here it stands for folders only.
    let pattern = if pattern.ends_with("**") { format!("{pattern}/*") } else { pattern.to_owned() };
    let paths = glob::glob_with(&pattern, MATCHING).into_iter().flatten().filter_map(Result::ok);
    paths.filter(|path| !path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    /// Looks at extra files of this folder.
    fn sources(folder: &TempDir, engine: ReloadEngine, extra: &[&str]) -> (Sources, Option<UnboundedReceiver<Hint>>) {
        let (watch, hints) = open_watch(engine).unzip();
        let extra = extra.iter().map(|entry| folder.path().join(entry).to_str().unwrap().to_owned());
        (Sources::new(extra.collect(), watch), hints)
    }

    /// Gives a file another time, whatever the clock says.
    fn touch(file: &Path) {
        let file = File::options().append(true).open(file).unwrap();
        let before = file.metadata().unwrap().modified().unwrap();
        file.set_modified(before + Duration::from_secs(2)).unwrap();
    }

    #[test]
    fn a_change_is_seen_once_and_an_import_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (shop, late) = (folder.path().join("shop.py"), folder.path().join("late.py"));
        fs::write(&shop, "").unwrap();
        fs::write(&late, "").unwrap();
        let (mut sources, _) = sources(&folder, ReloadEngine::Poll, &[]);
        assert_eq!(sources.look(vec![shop.clone()]), None);
        assert_eq!(sources.look(vec![shop.clone(), late.clone()]), None);
        touch(&late);
        assert_eq!(sources.look(vec![shop.clone(), late.clone()]), Some(late.clone()));
        assert_eq!(sources.look(vec![shop.clone(), late]), None);
        fs::write(&shop, "longer").unwrap();
        assert_eq!(sources.look(vec![shop.clone()]), Some(shop));
    }

    #[test]
    fn a_file_that_is_away_changes_when_another_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.html");
        let (mut sources, _) = sources(&folder, ReloadEngine::Poll, &["page.html"]);
        assert_eq!(sources.look(vec![]), None);
        fs::write(&page, "").unwrap();
        assert_eq!(sources.look(vec![]), Some(page.clone()));
        fs::remove_file(&page).unwrap();
        assert_eq!(sources.look(vec![]), None);
        fs::write(&page, "new").unwrap();
        assert_eq!(sources.look(vec![]), Some(page));
    }

    #[test]
    fn patterns_are_matched_again_and_new_files_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("pages/deep");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("old.html"), "").unwrap();
        let (mut sources, _) = sources(&folder, ReloadEngine::Poll, &["pages/**/*.html", "*.in?"]);
        assert_eq!(sources.look(vec![]), None);
        for name in ["pages/top.html", "pages/deep/new.html", "shop.ini"] {
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(sources.look(vec![]), Some(folder.path().join(name)));
        }
        for name in ["pages/.hidden.html", "pages/deep/new.css", "shop.conf"] {
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(sources.look(vec![]), None, "{name}");
        }
    }

    #[test]
    fn two_stars_at_the_end_find_files_and_nonsense_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pages")).unwrap();
        let (mut sources, _) = sources(&folder, ReloadEngine::Poll, &["pages/**", "pages/***"]);
        assert_eq!(sources.extra_patterns.len(), 1);
        assert_eq!(sources.look(vec![]), None);
        fs::create_dir(folder.path().join("pages/deep")).unwrap();
        assert_eq!(sources.look(vec![]), None);
        fs::write(folder.path().join("pages/deep/page"), "").unwrap();
        assert_eq!(sources.look(vec![]), Some(folder.path().join("pages/deep/page")));
    }

    /// Takes hints until they have led to a change.
    fn hinted(sources: &mut Sources, hints: &mut UnboundedReceiver<Hint>) -> PathBuf {
        loop {
            let hint = hints.blocking_recv().expect("the watch goes on");
            if let Some(changed) = sources.look_where(&[hint]) {
                return changed;
            }
        }
    }

    #[test]
    fn inotify_hints_at_files_written_replaced_and_linked() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (shop, link) = (folder.path().join("shop.py"), folder.path().join("link.py"));
        let target = elsewhere.path().join("target.py");
        fs::write(&shop, "1").unwrap();
        fs::write(&target, "1").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let (mut sources, hints) = sources(&folder, ReloadEngine::Inotify, &[]);
        let mut hints = hints.expect("inotify works here");
        assert_eq!(sources.look(vec![shop.clone(), link.clone()]), None);
        fs::write(&shop, "22").unwrap();
        assert_eq!(hinted(&mut sources, &mut hints), shop);
        let fresh = folder.path().join("shop.py.new");
        fs::write(&fresh, "333").unwrap();
        fs::rename(&fresh, &shop).unwrap();
        assert_eq!(hinted(&mut sources, &mut hints), shop);
        touch(&shop);
        assert_eq!(hinted(&mut sources, &mut hints), shop);
        fs::write(&target, "22").unwrap();
        assert_eq!(hinted(&mut sources, &mut hints), link);
    }
}
