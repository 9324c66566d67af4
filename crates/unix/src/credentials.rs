//! Giving up privileges.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getegid, geteuid, initgroups, setgid, setgroups, setuid};

/// The effective user of this process.
pub fn effective_user() -> u32 {
    geteuid().as_raw()
}

/// The effective group of this process.
pub fn effective_group() -> u32 {
    getegid().as_raw()
}

/// Becomes this user and group for good. The supplementary groups become the user's own with
/// `with_groups`, else only `group`: root's groups never stay. Nothing happens when both are
/// already ours.
pub fn become_user(user: u32, group: u32, with_groups: bool) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
    if uid == geteuid() && gid == getegid() {
        return Ok(());
    }
    if geteuid().is_root() {
        match User::from_uid(uid)? {
            Some(entry) if with_groups => {
                let name = CString::new(entry.name).map_err(io::Error::other)?;
                initgroups(&name, gid)?;
            }
            _ => setgroups(&[gid])?,
        }
    }
    setgid(gid)?;
    setuid(uid)?;
    Ok(())
}

/// Gives a file to this user and group.
pub fn give_file(path: &Path, user: u32, group: u32) -> io::Result<()> {
    chown(path, Some(user), Some(group))
}
