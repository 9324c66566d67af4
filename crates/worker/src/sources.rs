//! `--reload`: looks at the application's source files and tells the master when one changed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use ferricorn_application::Application;
use ferricorn_telemetry::events::Kind;

use crate::shared::Shared;

/// The files as they were when last looked at.
#[derive(Default)]
pub(crate) struct Sources {
    modified: HashMap<PathBuf, Option<SystemTime>>,
}

impl Sources {
    /// Looks at all files; one that is new here is only noted.
    pub(crate) fn look(&mut self, shared: &Shared, application: &mut dyn Application) {
        let mut files = application.source_files();
        files.extend(shared.settings.reload_extra_files.iter().map(PathBuf::from));
        let mut changed = None;
        for file in files {
            let now = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
            match self.modified.insert(file.clone(), now) {
                Some(before) if before != now => changed = Some(file),
                _ => {}
            }
        }
        if let Some(file) = changed {
            log::info!("Worker reloading: {} modified", file.display());
            if let Err(error) = shared.reporter.report(Kind::SourceChanged) {
                log::error!("Cannot ask the master to reload: {error}");
            }
        }
    }
}
