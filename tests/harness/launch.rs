//! The builder of one command line: which application, which arguments, which files and environment.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use super::finished::Finished;
use super::server::Server;
use super::target::{self, Target};
use super::wait::eventually;
use super::workdir::Workdir;

/// A server that is about to be started in a fresh directory.
#[derive(Debug)]
pub(crate) struct Launch {
    workdir: Workdir,
    /// What is started: the target's command, or a Python that runs a script.
    executable: PathBuf,
    /// `-b` values; the default is any free port of the loopback.
    binds: Vec<String>,
    /// Everything after the binds, before the application.
    args: Vec<OsString>,
    /// The application spec, if it is named on the command line.
    app: Option<String>,
    env: Vec<(String, String)>,
    /// The file that the error log goes to, for the harness to read; standard error by default.
    log: String,
}

impl Launch {
    /// A server of the application `spec`, found in `tests/apps` or among the files of this launch.
    pub(crate) fn app(spec: &str) -> Self {
        Self { app: Some(spec.to_owned()), ..Self::bare() }
    }

    /// A command line that names no application.
    pub(crate) fn bare() -> Self {
        let (binds, args, env, app) = (vec!["127.0.0.1:0".to_owned()], Vec::new(), Vec::new(), None);
        let executable = target::executable();
        Self { workdir: Workdir::new(), executable, binds, args, app, env, log: "stderr".to_owned() }
    }

    /// The target's Python with these arguments: a script that starts the server itself.
    pub(crate) fn python(words: &str) -> Self {
        Self { executable: target::binaries().join("python"), ..Self::bare().no_bind() }.args(words)
    }

    /// The native application of these tests.
    pub(crate) fn native() -> Self {
        Self { executable: env!("CARGO_BIN_EXE_native").into(), ..Self::bare() }
    }

    /// The same as the file `shop` of its own, which can be replaced: see [`Workdir::install`].
    pub(crate) fn installed(image: &str) -> Self {
        let launch = Self::bare();
        launch.workdir.install(image);
        launch.by("shop")
    }

    /// Starts `executable` in place of the target's command, a path relative to the server's directory.
    pub(crate) fn by(mut self, executable: &str) -> Self {
        self.executable = self.workdir.join(executable);
        self
    }

    /// Starts this server, whichever the run is about.
    pub(crate) fn put_to(self, target: Target) -> Self {
        Self { executable: target::binaries().join(target.program()), ..self }
    }

    /// Adds arguments, separated by blanks.
    pub(crate) fn args(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Adds one argument that may contain blanks.
    pub(crate) fn arg(mut self, word: &str) -> Self {
        self.args.push(word.into());
        self
    }

    /// Binds to `address` in place of a free port.
    pub(crate) fn bind(mut self, address: &str) -> Self {
        self.binds = vec![address.to_owned()];
        self
    }

    /// Leaves `--bind` to the configuration or to the default.
    pub(crate) fn no_bind(mut self) -> Self {
        self.binds.clear();
        self
    }

    /// Binds to `address` as well.
    pub(crate) fn also_bind(mut self, address: &str) -> Self {
        self.binds.push(address.to_owned());
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file into the server's directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.workdir.write(name, text);
        self
    }

    /// Puts `gunicorn.conf.py` into the server's directory, where it is read unasked.
    pub(crate) fn conf(self, text: &str) -> Self {
        self.file("gunicorn.conf.py", text)
    }

    /// Sends the error log to the file `name`, and lets the harness read it there.
    pub(crate) fn error_log(mut self, name: &str) -> Self {
        self.log = name.to_owned();
        self.args(&format!("--error-logfile {name}"))
    }

    /// The directory in which it will run.
    pub(crate) fn workdir(&self) -> &Workdir {
        &self.workdir
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let server = self.start_unready();
        server.wait_listening();
        server
    }

    /// Starts it and does not wait for anything.
    pub(crate) fn start_unready(self) -> Server {
        let child = self.spawn();
        let bind = self.binds.first().cloned().unwrap_or_default();
        Server::new(child, self.workdir, self.log, &bind)
    }

    /// Runs it until it ends by itself.
    #[track_caller]
    pub(crate) fn run(self) -> Finished {
        let mut child = self.spawn();
        let status = eventually("the command's end", || child.try_wait().expect("our own child can be waited for"));
        let (stdout, stderr) = (self.workdir.read("stdout"), self.workdir.read("stderr"));
        Finished { code: status.code().unwrap_or(-1), stdout, stderr, workdir: self.workdir }
    }

    /// The arguments in order: binds, arguments, application.
    fn arguments(&self) -> Vec<OsString> {
        let binds = self.binds.iter().flat_map(|bind| [OsString::from("--bind"), OsString::from(bind)]);
        binds.chain(self.args.iter().cloned()).chain(self.app.iter().map(OsString::from)).collect()
    }

    fn spawn(&self) -> Child {
        let output = |name: &str| {
            let file = fs::OpenOptions::new().create(true).append(true).open(self.workdir.join(name));
            file.map(Stdio::from).expect("an output file can be made")
        };
        let mut command = Command::new(&self.executable);
        command.args(self.arguments()).current_dir(self.workdir.path()).env_clear();
        command.env("PATH", search_path()).env("HOME", self.workdir.join("home")).env("LANG", "C.UTF-8");
        command.env("PYTHONPATH", target::apps()).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command.env("RUST_BACKTRACE", "1").envs(self.env.iter().cloned());
        let null = File::open("/dev/null").expect("/dev/null can be opened");
        command.stdin(Stdio::from(null)).stdout(output("stdout")).stderr(output("stderr"));
        command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.executable.display()))
    }
}

/// The executables of the target first, then what the test itself sees.
fn search_path() -> OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(target::binaries()).chain(env::split_paths(&rest));
    env::join_paths(dirs).expect("no directory of PATH holds a colon")
}
