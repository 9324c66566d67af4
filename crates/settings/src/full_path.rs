//! A path that does not depend on the current directory.

use std::path::{Component, Path, PathBuf};

/// The path as seen from `start`, without `.` and `..`. By name only, as in the original: what a link points at does
/// not matter.
pub(crate) fn full_path(start: &Path, path: &str) -> PathBuf {
    let mut full = PathBuf::new();
    for part in start.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(full.pop()),
            part => full.push(part),
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_by_name() {
        let full = |path| full_path(Path::new("/srv/shop"), path);
        assert_eq!(full("./a/../../b"), Path::new("/srv/b"));
        assert_eq!(full("/x/../../y"), Path::new("/y"));
        assert_eq!(full("."), Path::new("/srv/shop"));
    }
}
