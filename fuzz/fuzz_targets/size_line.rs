//! The line that begins a chunk: what is taken is a number and extensions, and nothing else.

#![no_main]

use ferricorn_worker::invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::size_line(bytes));
