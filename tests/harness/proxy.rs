//! Real proxies to put in front of a server: HAProxy and nginx, with the configurations that we ship.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::connection::{Address, Connection};
use super::wait::eventually;
use super::workdir::Workdir;

/// Where the shipped configurations send requests.
const UPSTREAM: &str = "127.0.0.1:8000";

/// A proxy that runs. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
    workdir: Workdir,
}

impl Proxy {
    /// HAProxy with `etc/haproxy/haproxy.cfg`. `bind`: which of its two addresses is used, `:80` or `:8080`; `edit` may change more.
    #[track_caller]
    pub(crate) fn haproxy(bind: &str, upstream: &Address, edit: impl Fn(String) -> String) -> Self {
        let (address, other) = (free_address(), free_address());
        let text = edit(shipped("haproxy/haproxy.cfg", upstream));
        let places = [":80", ":8080"].map(|place| (place, if place == bind { address } else { other }));
        let text = places.iter().fold(text, |text, (place, address)| {
            replaced(&text, &format!("bind {place}\n"), &format!("bind {address}\n"))
        });
        let workdir = Workdir::new();
        workdir.write("haproxy.cfg", &text);
        Self::start(workdir, address, "haproxy", &["-db", "-f", "haproxy.cfg"])
    }

    /// nginx with a file of `etc/nginx`. `listen`: the port in it.
    #[track_caller]
    pub(crate) fn nginx(file: &str, listen: &str, upstream: &Address) -> Self {
        let address = free_address();
        let text = shipped(&format!("nginx/{file}"), upstream);
        let text = replaced(&text, &format!("listen {listen};"), &format!("listen {address};"));
        let text = replaced(&text, "worker_processes auto;", "worker_processes 1;");
        let own = "http {\nlog_format asked '$request_uri $upstream_addr';\naccess_log access.log asked;\n\
            keepalive_timeout 1s;\nclient_header_timeout 1s;\nclient_body_timeout 1s;\n\
            client_body_temp_path client_body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
            uwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n";
        let workdir = Workdir::new();
        workdir.write("nginx.conf", &text.replacen("http {\n", own, 1));
        let directives = "daemon off; master_process off; pid nginx.pid;";
        let prefix = workdir.path().display().to_string();
        Self::start(workdir, address, "nginx", &["-p", &prefix, "-e", "stderr", "-c", "nginx.conf", "-g", directives])
    }

    #[track_caller]
    fn start(workdir: Workdir, address: SocketAddr, program: &str, arguments: &[&str]) -> Self {
        see_that_they_are_there();
        let log =
            || Stdio::from(fs::File::options().create(true).append(true).open(workdir.join("stderr")).expect("a log"));
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        command.args(arguments).current_dir(workdir.path()).env("PATH", path);
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let proxy = Self { child, address, workdir };
        eventually(&format!("{program} listens"), || TcpStream::connect(address).ok().map(drop));
        proxy
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A fresh connection to it.
    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&Address::Tcp(self.address)).unwrap_or_else(|fault| panic!("cannot connect: {fault:?}"))
    }

    /// What it has written into a file.
    pub(crate) fn read(&self, name: &str) -> String {
        self.workdir.read(name)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has nothing to finish, and has started nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shipped configuration that sends requests to `upstream`.
#[track_caller]
fn shipped(file: &str, upstream: &Address) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../etc").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    replaced(&text, UPSTREAM, &format!("127.0.0.1:{}", upstream.port()))
}

#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from:?} in the configuration:\n{text}");
    text.replace(from, to)
}

/// An address of the loopback that nobody uses at this moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a listener has an address")
}

/// Panics with the installer's own words if they are not.
#[track_caller]
fn see_that_they_are_there() {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proxies.sh");
        let output =
            Command::new(&script).output().map_err(|error| format!("cannot run {}: {error}", script.display()))?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(words) }
    });
    installed.as_ref().unwrap_or_else(|words| panic!("{words}"));
}
