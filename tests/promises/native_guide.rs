//! docs/native-applications.md, followed: what it says to write is written, built and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use nix::sys::signal::Signal;

use super::native::NATIVE;
use crate::harness::Launch;
use crate::harness::process::wait_gone;

/// What the guide has under this name, in a fenced block.
fn block(name: &str) -> String {
    let guide = include_str!("../../docs/native-applications.md");
    let (_, rest) = guide.split_once(&format!(" {name}\n")).unwrap_or_else(|| panic!("the guide has no {name}"));
    rest.split_once("\n```").expect("blocks end").0.to_owned()
}

/// The words of the last command that starts with this.
fn command(text: &str, start: &str) -> String {
    let line = text.lines().rev().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("`{start}` is not in: {text}")).to_owned()
}

/// Builds the program as the guide has it, with the dependencies that are here already, beside what is built already.
fn build(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there");
    let manifest = block("Cargo.toml").replace("../ferricorn", &root.to_string_lossy());
    fs::create_dir(folder.join("src")).expect("a folder can be made");
    for (name, text) in [("Cargo.toml", manifest), ("src/main.rs", block("src/main.rs"))] {
        fs::write(folder.join(name), text).expect("a file can be written");
    }
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file can be copied");
    let tests = env::current_exe().expect("this program is a file");
    let target = tests.ancestors().nth(3).expect("cargo puts tests into target/debug/deps");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--offline", "--target-dir"]).arg(target).current_dir(folder);
    let built = cargo.output().expect("cargo can be started");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = folder.join("shop");
    // Copied, and not moved: the same tests may run twice at a time.
    let copied = Command::new("cp").arg(target.join("debug/shop")).arg(&program).status();
    assert!(copied.expect("cp can be started").success(), "cargo has made no program");
    program
}

/// The guide leads to a server that can be reloaded and stopped, and its unit to one that starts.
#[test]
fn the_guide_leads_to_a_server() {
    only_ferricorn!(NATIVE);
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let program = build(folder.path());
    let program = program.to_str().expect("the path is text");
    let run = command(&block("run"), "shop ").replace("--bind 127.0.0.1:8000 ", "");
    let settings = block("ferricorn.toml");
    let server = Launch::bare().by(program).file("ferricorn.toml", &settings).args(&run).start();
    let old = server.wait_workers(2);
    let greeting = server.get("/").text();
    assert!(greeting.starts_with("welcome from slot "), "{greeting}");
    server.signal(Signal::SIGHUP);
    old.into_iter().for_each(wait_gone);
    server.wait_workers(2);
    assert!(server.get("/").text().starts_with("welcome from slot "));
    server.wait_for("the access log", || server.workdir().read("access.log").contains("GET / HTTP").then_some(()));
    assert_eq!(server.stop(Signal::SIGTERM), 0);
    let unit = command(&block("shop.service"), "ExecStart=/srv/shop/bin/shop ");
    let checked = Launch::bare().no_bind().by(program).args(&unit).args("--check-config").run();
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}
