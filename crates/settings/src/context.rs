//! What this process brings to the defaults: its directory, its user, and a few environment variables.

use crate::integer::decimal;
use crate::{Language, Layer, Origin, Value};
use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Everything outside the sources of configuration that a default depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Where the server was started: relative `chdir` values start here.
    pub start_directory: PathBuf,
    /// `PORT`: listen on all addresses at this port.
    pub port: Option<String>,
    /// `WEB_CONCURRENCY`: number of workers.
    pub web_concurrency: Option<String>,
    /// `WORKERS`: the same, where `WEB_CONCURRENCY` is not set.
    pub workers: Option<String>,
    /// `FORWARDED_ALLOW_IPS`: peers to trust.
    pub forwarded_allow_ips: Option<String>,
    /// `SENDFILE`: whether the kernel may send files; without effect.
    pub sendfile: Option<String>,
    /// Effective user id.
    pub user: u32,
    /// Effective group id.
    pub group: u32,
    /// Where Gunicorn would put its control socket; only printed.
    pub control_socket: String,
    /// What stands in front of /proc and /sys, which say what `workers = "auto"` means: `/`, except in tests.
    pub machine_root: PathBuf,
    /// What the applications are written in.
    pub language: Language,
}

impl Context {
    /// Of this process.
    pub fn from_environment() -> Context {
        Context {
            start_directory: start_directory(),
            port: env::var("PORT").ok(),
            web_concurrency: env::var("WEB_CONCURRENCY").ok(),
            workers: env::var("WORKERS").ok(),
            forwarded_allow_ips: env::var("FORWARDED_ALLOW_IPS").ok(),
            sendfile: env::var("SENDFILE").ok(),
            user: nix::unistd::geteuid().as_raw(),
            group: nix::unistd::getegid().as_raw(),
            control_socket: control_socket(),
            machine_root: "/".into(),
            language: Language::default(),
        }
    }

    /// Of a process that root started in /tmp, with nothing in its environment.
    #[cfg(test)]
    pub(crate) fn bare() -> Context {
        Context {
            start_directory: "/tmp".into(),
            port: None,
            web_concurrency: None,
            workers: None,
            forwarded_allow_ips: None,
            sendfile: None,
            user: 0,
            group: 0,
            control_socket: "/root/.gunicorn/gunicorn.ctl".to_owned(),
            machine_root: "/nowhere".into(),
            language: Language::default(),
        }
    }

    /// One layer for each variable that is set: the lowest of all layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let layer = |variable: &str, name: &str, value: Value| {
            Layer::new(Origin::Environment(variable.to_owned()), vec![(name.to_owned(), value)])
        };
        let port = self.port.as_ref().map(|port| layer("PORT", "bind", Value::texts([format!("0.0.0.0:{port}")])));
        let number = |text: &String| decimal(text).map_or_else(|| Value::text(text), Value::Int);
        let concurrency = self.web_concurrency.as_ref().map(|count| ("WEB_CONCURRENCY", count));
        let workers = concurrency.or_else(|| self.workers.as_ref().map(|count| ("WORKERS", count)));
        let workers = workers.map(|(variable, count)| layer(variable, "workers", number(count)));
        let trusted = self
            .forwarded_allow_ips
            .as_ref()
            .map(|ips| layer("FORWARDED_ALLOW_IPS", "forwarded_allow_ips", Value::text(ips)));
        [port, workers, trusted].into_iter().flatten().collect()
    }

    /// Default of a setting that depends on the process.
    pub(crate) fn fallback(&self, name: &str) -> Option<Value> {
        match name {
            "chdir" => Some(Value::text(self.start_directory.to_string_lossy())),
            "user" => Some(Value::Int(self.user.into())),
            "group" => Some(Value::Int(self.group.into())),
            "control_socket" => Some(Value::text(&self.control_socket)),
            _ => None,
        }
    }
}

/// `$PWD` where that is the current directory under another name (a link that a deployment moves), else the real path.
pub fn start_directory() -> PathBuf {
    let identity = |path: &Path| path.metadata().map(|seen| (seen.dev(), seen.ino())).ok();
    let current = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    match env::var_os("PWD").map(PathBuf::from) {
        Some(logical) if logical.is_absolute() && identity(&logical) == identity(&current) => logical,
        _ => current,
    }
}

/// Only printed, to compare the output of both programs; nothing is created.
fn control_socket() -> String {
    let runtime = env::var("XDG_RUNTIME_DIR").ok().filter(|path| Path::new(path).is_dir());
    let home = || format!("{}/.gunicorn", env::var("HOME").unwrap_or_default());
    format!("{}/gunicorn.ctl", runtime.unwrap_or_else(home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_workers_is_decimal() {
        for (text, value) in [("03", Value::Int(3)), ("0x3", Value::text("0x3"))] {
            let context = Context { web_concurrency: Some(text.to_owned()), ..Context::bare() };
            assert_eq!(context.layers()[0].values, [("workers".to_owned(), value)]);
        }
    }

    #[test]
    fn the_second_name_of_the_variable_counts_without_the_first() {
        let origin = |web_concurrency: Option<&str>| {
            let context = Context {
                web_concurrency: web_concurrency.map(str::to_owned),
                workers: Some("5".into()),
                ..Context::bare()
            };
            context.layers()[0].origin.to_string()
        };
        assert_eq!(origin(None), "the environment variable WORKERS");
        assert_eq!(origin(Some("3")), "the environment variable WEB_CONCURRENCY");
    }

    #[test]
    fn a_process_starts_in_its_directory() {
        let context = Context::from_environment();
        assert_eq!(context.start_directory.canonicalize().unwrap(), env::current_dir().unwrap());
    }
}
