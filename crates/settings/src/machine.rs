//! How many workers `auto` means: from the processors and the memory that this process may use, which in a container
//! are those of its cgroup and not those of the host.
//!
//! The rule: two workers for each processor, a part of one counting as one; no more than find 128 MiB each in the
//! memory limit, where there is one; at least one.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};

/// Workers for each processor: one computes while the other waits.
const WORKERS_PER_PROCESSOR: u64 = 2;
/// What a worker is given of the memory limit, at least.
const MEMORY_OF_A_WORKER: u64 = 128 << 20;
/// Limits of version 1 that stand for no limit are near the end of the address space.
const NO_LIMIT: u64 = 1 << 60;

/// What a process may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Machine {
    processors: f64,
    memory: Option<u64>,
}

impl Machine {
    /// Of this process, with `root` in front of /proc and /sys.
    pub(crate) fn under(root: &Path) -> Machine {
        let membership = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mut machine = Machine { processors: allowed_processors() as f64, memory: None };
        for (controllers, path) in membership.lines().filter_map(line_parts) {
            for folder in folders(root, controllers, path) {
                machine.limit(&folder);
            }
        }
        machine
    }

    /// What `auto` means here.
    pub(crate) fn workers(&self) -> u64 {
        let by_processors = (self.processors.ceil() as u64).max(1) * WORKERS_PER_PROCESSOR;
        let by_memory = self.memory.map_or(u64::MAX, |limit| limit / MEMORY_OF_A_WORKER);
        by_processors.min(by_memory).max(1)
    }

    /// Why, for the operator.
    pub(crate) fn words(&self) -> String {
        let processors = (self.processors * 100.0).round() / 100.0;
        let plural = if processors == 1.0 { "" } else { "s" };
        let memory = self.memory.map(|limit| format!(", {} MiB", limit >> 20)).unwrap_or_default();
        format!("{processors} processor{plural}{memory}")
    }

    /// Narrows down to what the files of one folder allow, in the words of either version.
    fn limit(&mut self, folder: &Path) {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let share = |quota: u64, period: u64| (quota > 0 && period > 0).then(|| quota as f64 / period as f64);
        let version_2 = read("cpu.max").as_deref().and_then(quota_and_period);
        let version_1 = number("cpu.cfs_quota_us").zip(number("cpu.cfs_period_us"));
        if let Some(share) = version_2.or(version_1).and_then(|(quota, period)| share(quota, period)) {
            self.processors = self.processors.min(share);
        }
        let memory = number("memory.max").or_else(|| number("memory.limit_in_bytes")).filter(|limit| *limit < NO_LIMIT);
        if let Some(limit) = memory {
            self.memory = Some(self.memory.map_or(limit, |known| known.min(limit)));
        }
    }
}

/// "150000 100000"; with "max" in front there is no quota.
fn quota_and_period(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// "4:cpu,cpuacct:/shop" or, in version 2, "0::/shop".
fn line_parts(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

/// The cgroup's folder and those above it, as each of them may set a limit. A container often sees its own cgroup as
/// the topmost folder while its path is that of the host, so folders that are not there are no surprise.
fn folders(root: &Path, controllers: &str, path: &str) -> Vec<PathBuf> {
    let mounted = root.join("sys/fs/cgroup");
    let tops: Vec<PathBuf> = match controllers {
        "" => vec![mounted],
        names => std::iter::once(names).chain(names.split(',')).map(|name| mounted.join(name)).collect(),
    };
    let below = Path::new(path.trim_start_matches('/'));
    tops.iter().flat_map(|top| below.ancestors().map(|folder| top.join(folder)).collect::<Vec<_>>()).collect()
}

/// How many processors the scheduler may put this process on.
fn allowed_processors() -> usize {
    let allowed = |set: CpuSet| (0..CpuSet::count()).filter(|at| set.is_set(*at) == Ok(true)).count();
    sched_getaffinity(Pid::from_raw(0)).map_or(1, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workers of a process whose files say this; it may use every processor unless they say otherwise.
    fn workers(files: &[(&str, &str)]) -> u64 {
        machine(files).workers()
    }

    fn machine(files: &[(&str, &str)]) -> Machine {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Machine::under(root.path())
    }

    const MEMBER: (&str, &str) = ("proc/self/cgroup", "0::/pod/shop\n");

    #[test]
    fn without_limits_there_are_two_workers_for_each_processor() {
        let all = allowed_processors() as u64 * 2;
        let unlimited = [
            MEMBER,
            ("sys/fs/cgroup/pod/shop/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/pod/shop/memory.max", "max\n"),
        ];
        assert_eq!((workers(&[]), workers(&unlimited)), (all, all));
    }

    #[test]
    fn the_narrowest_limit_on_the_way_up_counts() {
        let half = ("sys/fs/cgroup/pod/shop/cpu.max", "50000 100000\n");
        assert_eq!(workers(&[MEMBER, half]), 2);
        assert_eq!(workers(&[MEMBER, ("sys/fs/cgroup/pod/cpu.max", "50000 100000\n")]), 2);
        let memory = ("sys/fs/cgroup/pod/memory.max", "134217728\n");
        assert_eq!(workers(&[MEMBER, half, memory]), 1);
        let wide = ("sys/fs/cgroup/pod/shop/memory.max", "1073741824\n");
        assert_eq!(machine(&[MEMBER, memory, wide]).memory, Some(128 << 20));
        assert_eq!(workers(&[MEMBER, ("sys/fs/cgroup/memory.max", "1\n")]), 1);
    }

    #[test]
    fn a_container_may_see_its_own_group_as_the_topmost() {
        let host_path = ("proc/self/cgroup", "0::/system.slice/docker-1.scope\n");
        assert_eq!(workers(&[host_path, ("sys/fs/cgroup/cpu.max", "100000 100000\n")]), 2);
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let member = ("proc/self/cgroup", "5:memory:/shop\n4:cpu,cpuacct:/shop\n1:name=systemd:/shop\n");
        let quota = ("sys/fs/cgroup/cpu,cpuacct/shop/cpu.cfs_quota_us", "100000\n");
        let period = ("sys/fs/cgroup/cpu,cpuacct/shop/cpu.cfs_period_us", "100000\n");
        let unlimited = ("sys/fs/cgroup/memory/shop/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(workers(&[member, quota, period, unlimited]), 2);
        let none = ("sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us", "-1\n");
        let memory = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "200000000\n");
        assert_eq!(workers(&[member, none, memory]), 1);
    }

    #[test]
    fn the_reason_fits_into_a_line() {
        assert_eq!(Machine { processors: 1.5, memory: Some(512 << 20) }.words(), "1.5 processors, 512 MiB");
        assert_eq!(Machine { processors: 1.0, memory: None }.words(), "1 processor");
        assert_eq!(Machine { processors: 1.5, memory: None }.workers(), 4);
    }
}
