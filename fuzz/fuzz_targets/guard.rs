//! The guard: the same is let through however it arrives, and hyper's parser understands it in the same way.

#![no_main]

use ferricorn_worker::invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::guard(bytes));
