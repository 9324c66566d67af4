//! A memfd that several processes map: a row of 64-bit words, read and written atomically.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use memmap2::MmapRaw;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The mapping and the descriptor by which other processes can map it too.
#[derive(Debug)]
pub struct SharedMemory {
    /// Unmapped on drop; the memory itself lives as long as anybody maps or holds it.
    map: MmapRaw,
    descriptor: OwnedFd,
}

impl SharedMemory {
    /// Makes a new one of this many words, all zero.
    pub fn create(name: &str, words: usize) -> io::Result<Self> {
        let descriptor = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
        nix::unistd::ftruncate(&descriptor, (words * size_of::<u64>()) as i64)?;
        Self::map(descriptor)
    }

    /// Maps one that another process made.
    pub fn map(descriptor: OwnedFd) -> io::Result<Self> {
        let file = File::from(descriptor);
        let map = MmapRaw::map_raw(&file)?;
        Ok(Self { map, descriptor: OwnedFd::from(file) })
    }

    /// The words. Every access of every process goes through atomics.
    pub fn words(&self) -> &[AtomicU64] {
        let count = self.map.len() / size_of::<u64>();
        // SAFETY: the mapping is page-aligned, `count` whole words long and lives as long as
        // `self`; nobody shrinks the memfd; all accesses in all processes are atomic.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), count) }
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_show_the_same_words() {
        let first = SharedMemory::create("test", 1000).unwrap();
        let second = SharedMemory::map(first.as_fd().try_clone_to_owned().unwrap()).unwrap();
        first.words()[999].store(7, Ordering::Relaxed);
        assert_eq!(second.words()[999].load(Ordering::Relaxed), 7);
        assert_eq!(second.words().len(), 1000);
    }
}
