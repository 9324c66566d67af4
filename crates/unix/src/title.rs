//! What `ps` shows: the process title, written over the memory that holds the command line.

use std::fs;
use std::io;

/// The memory at the top of the stack where the kernel put the command line and, right behind
/// it, the environment; `ps` reads it through /proc.
#[derive(Debug)]
pub struct Title {
    start: usize,
    length: usize,
}

impl Title {
    /// Claims that memory for titles. The environment is moved to the heap first (by setting each
    /// variable anew), so call it early, while this process has one thread.
    pub fn claim() -> io::Result<Self> {
        for (name, value) in std::env::vars_os() {
            crate::environment::set(&name, Some(&value))?;
        }
        let bounds = fs::read_to_string("/proc/self/stat")?;
        // Fields 48 to 51 of proc(5); the second field may hold blanks, so count after its ')'.
        let fields: Vec<usize> = bounds
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .skip(45)
            .take(4)
            .filter_map(|field| field.parse().ok())
            .collect();
        match fields[..] {
            [start, end, environment_start, environment_end]
                if 0 < start && start < end && end <= environment_start =>
            {
                // The two areas are adjacent; if ever not, only the first is used.
                let last = if environment_start - end <= 1 { environment_end.max(end) } else { end };
                Ok(Self { start, length: last - start })
            }
            _ => Err(io::Error::other("/proc/self/stat does not tell where the command line is")),
        }
    }

    /// Shows this title from now on, cut to the room there is.
    pub fn set(&self, title: &str) {
        let text = &title.as_bytes()[..title.len().min(self.length - 1)];
        let memory = self.start as *mut u8;
        // SAFETY: `claim` read these bounds from the kernel: writable stack memory of this
        // process that stays mapped for its whole life. After the environment was moved, only
        // the C runtime's argv points into it, and a string there stays NUL-terminated since the
        // rest is filled with NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), memory, text.len());
            std::ptr::write_bytes(memory.add(text.len()), 0, self.length - text.len());
        }
    }
}
