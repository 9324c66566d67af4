//! A control group of a test's own with a limit for memory, where the machine permits one: version 2, or the controller of
//! version 1.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::guardian;
use super::wait::within;

/// How long the kernel may take to notice that a group is empty.
const EMPTY: std::time::Duration = std::time::Duration::from_secs(5);

/// The group, removed on Drop. Whoever is in it has to be gone by then.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// A group that may have so many bytes; says why there can be none.
    pub(crate) fn with_memory(limit: u64) -> Result<Self, String> {
        let name = format!("conformance-{}-{}", std::process::id(), fastrand::u32(..));
        let layouts = [
            ("/sys/fs/cgroup", "memory.max", ("memory.swap.max", 0)),
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", limit)),
        ];
        let mut why = String::new();
        for (root, file, swap) in layouts {
            match Self::make(&Path::new(root).join(&name), (file, limit), swap) {
                Ok(group) => return Ok(group),
                Err(error) => why += &format!("{root}: {error}; "),
            }
        }
        Err(why)
    }

    fn make(path: &Path, memory: (&str, u64), swap: (&str, u64)) -> io::Result<Self> {
        fs::create_dir(path)?;
        guardian::watch(path);
        let group = Self(path.to_owned());
        // A folder that is no control group would take any file.
        fs::metadata(path.join("cgroup.procs"))?;
        fs::metadata(path.join(memory.0))?;
        fs::write(path.join(memory.0), memory.1.to_string())?;
        // Where there is swap, what is too much would go there instead.
        if path.join(swap.0).exists() {
            fs::write(path.join(swap.0), swap.1.to_string())?;
        }
        Ok(group)
    }

    /// A shell's word for: run this in here.
    pub(crate) fn running(&self, command: &str) -> String {
        format!("echo $$ >{}/cgroup.procs && exec {command}", self.0.display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        guardian::release(&self.0);
        if within(EMPTY, || fs::remove_dir(&self.0).ok()).is_none() {
            eprintln!("---- kept: {}", self.0.display());
        }
    }
}
