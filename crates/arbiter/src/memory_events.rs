//! Whether the kernel has killed for want of memory: it counts that in the control group of this process.

use std::fs;
use std::path::{Path, PathBuf};

/// The count, as last seen.
#[derive(Debug)]
pub(crate) struct MemoryEvents {
    /// The file that has it; `None` where there is none.
    file: Option<PathBuf>,
    seen: u64,
}

/// What the count says about a worker that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has grown: the kernel has killed somebody here.
    OutOfMemory,
    /// It has not.
    SomebodyElse,
    /// Nobody counts here.
    Unknown,
}

impl MemoryEvents {
    /// Of this process's control group.
    pub(crate) fn of_this_process() -> Self {
        Self::under(Path::new("/"))
    }

    fn under(root: &Path) -> Self {
        let membership = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let file = membership.lines().filter_map(|line| file_of(root, line)).find(|file| file.exists());
        let seen = file.as_deref().and_then(kills).unwrap_or(0);
        Self { file, seen }
    }

    /// Looks again.
    pub(crate) fn verdict(&mut self) -> Verdict {
        match self.file.as_deref().and_then(kills) {
            Some(now) if now > self.seen => {
                self.seen = now;
                Verdict::OutOfMemory
            }
            Some(_) => Verdict::SomebodyElse,
            None => Verdict::Unknown,
        }
    }
}

/// "0::/shop" in version 2, "5:memory:/shop" in version 1.
fn file_of(root: &Path, line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let path = path.trim_start_matches('/');
    match controllers {
        "" => Some(root.join("sys/fs/cgroup").join(path).join("memory.events")),
        _ if controllers.split(',').any(|name| name == "memory") => {
            Some(root.join("sys/fs/cgroup/memory").join(path).join("memory.oom_control"))
        }
        _ => None,
    }
}

/// Both files have lines of a name and a number.
fn kills(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_its_kills() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/self/cgroup", "0::/system.slice/shop.service\n");
        assert_eq!(MemoryEvents::under(root.path()).verdict(), Verdict::Unknown);
        let file = "sys/fs/cgroup/system.slice/shop.service/memory.events";
        put(file, "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
        let mut events = MemoryEvents::under(root.path());
        assert_eq!(events.verdict(), Verdict::SomebodyElse);
        put(file, "low 0\noom 3\noom_kill 2\n");
        assert_eq!((events.verdict(), events.verdict()), (Verdict::OutOfMemory, Verdict::SomebodyElse));
    }

    #[test]
    fn the_old_layout_is_read_too() {
        let root = Path::new("/r");
        let file = |line| file_of(root, line);
        assert_eq!(file("5:cpu,memory:/a/b"), Some("/r/sys/fs/cgroup/memory/a/b/memory.oom_control".into()));
        assert_eq!(file("4:cpu:/a"), None);
    }
}
