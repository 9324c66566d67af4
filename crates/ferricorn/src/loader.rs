//! A native application, as the processes of its server know it. There is nothing to load but its program, which they are,
//! and no hooks: what an author wants done is done in `main` or in the factory.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferricorn_application::Loaded;
use ferricorn_application::service::LocalFuture;
use ferricorn_mold::Host;
use ferricorn_mold::host::HookFailure;
use ferricorn_mold::protocol::{Hook, Member, Metric, Occasion};
use ferricorn_server::{Embedding, LoadFailure, Loader, RevisedTls};
use ferricorn_settings::{Language, Layer, Origin, Resolved, Settings, Tls};
use ferricorn_telemetry::error_log::{self, Level};
use ferricorn_unix::environment;
use ferricorn_unix::process::Fork;

use crate::BoxError;
use crate::context::{Context, Shutdown};
use crate::factory::Made;

/// A factory of any kind.
pub(crate) type AnyFactory = Box<dyn FnOnce(Context) -> LocalFuture<Result<Made, BoxError>>>;

/// See the module.
pub(crate) struct NativeLoader {
    /// Taken by the worker.
    factory: Option<AnyFactory>,
    /// The program's name.
    name: String,
    /// Its file, under the name by which it was started.
    program: PathBuf,
}

impl NativeLoader {
    pub(crate) fn new(factory: AnyFactory, name: String, program: PathBuf) -> Self {
        Self { factory: Some(factory), name, program }
    }
}

impl Host for NativeLoader {
    fn guarded(&mut self, fork: &mut dyn FnMut() -> io::Result<Fork>) -> io::Result<Fork> {
        fork()
    }

    fn call(&mut self, _: Hook) -> Result<(), HookFailure> {
        Ok(())
    }

    fn before_fork(&mut self, _: u64) -> Result<(), HookFailure> {
        Ok(())
    }

    fn forked(&mut self, _: ferricorn_unix::process::ProcessId) {}

    fn born(&mut self, _: Member) {}

    fn ended(&mut self, _: Member, _: bool) -> Result<(), HookFailure> {
        Ok(())
    }

    fn listeners_closed(&mut self) {}

    fn log(&mut self, level: Level, message: &str) {
        error_log::log(level, message);
    }

    /// The master measures by itself where no logger in Python does.
    fn measure(&mut self, _: Metric) {}

    fn take_wanted(&mut self) -> Option<usize> {
        None
    }
}

impl Loader for NativeLoader {
    fn language(&self) -> Language {
        Language::Rust
    }

    fn evaluate_file(&mut self, path: &Path) -> Result<Layer, String> {
        Err(format!(
            "\nError: {}: {} reads settings from TOML only; write them as `name = value` into a file that ends in .toml\n",
            path.display(),
            self.name,
        ))
    }

    fn evaluate_module(&mut self, name: &str) -> Result<Layer, String> {
        self.evaluate_file(Path::new(&format!("python:{name}")))
    }

    fn embedding(&mut self) -> Result<Option<Embedding>, String> {
        let layer = Layer::new(Origin::Program, Vec::new());
        Ok(Some(Embedding { layer, name: self.name.clone(), reads_arguments: true }))
    }

    fn adopt(&mut self, _: &Resolved) -> Result<(), String> {
        Ok(())
    }

    fn start_logging(&mut self, _: &Settings) -> Result<(), String> {
        Ok(())
    }

    fn revise_tls(&mut self, asked: Tls) -> Result<RevisedTls, String> {
        Ok(RevisedTls { settings: asked, choice: None })
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        std::env::set_current_dir(&settings.chdir)
            .map_err(|error| format!("cannot change to {}: {error} (setting chdir)", settings.chdir.display()))?;
        for (name, value) in &settings.raw_env {
            environment::set(name.as_ref(), Some(value.as_ref()))
                .map_err(|error| format!("cannot set the environment variable {name}: {error} (setting raw_env)"))?;
        }
        Ok(())
    }

    fn preload(&mut self, _: &Settings) -> Result<(), LoadFailure> {
        Ok(())
    }

    fn begin_generation(&mut self, _: &Settings, _: Occasion) -> Result<(), LoadFailure> {
        Ok(())
    }

    fn show_listeners(&mut self, _: &[OwnedFd]) -> Result<(), String> {
        Ok(())
    }

    fn worker_is_born(&mut self) -> Result<(), LoadFailure> {
        Ok(())
    }

    fn begin_worker(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn application(&mut self, settings: &Settings) -> Result<Loaded<LoadFailure>, LoadFailure> {
        let Some(factory) = self.factory.take() else {
            return Err(LoadFailure::Raised { traceback: "the factory has been called before".to_owned() });
        };
        let (program, settings) = (self.program.clone(), settings.into());
        Ok(Loaded::Service(Box::new(move |place| {
            let (begin_shutdown, shutdown) = Shutdown::new();
            let making = factory(Context { slot: place.slot, settings, shutdown, pool: Arc::default() });
            Box::pin(async move {
                let made = making.await.map_err(|error| LoadFailure::Raised { traceback: in_full(&*error) })?;
                Ok(made.finish(begin_shutdown, program))
            })
        })))
    }

    fn worker_ends_early(&mut self) {}
}

/// An error, and what caused it.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\ncaused by: {cause}"))
}
