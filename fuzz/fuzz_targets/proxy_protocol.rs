//! The PROXY protocol: a header is read alike however it arrives.

#![no_main]

use ferricorn_worker::invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::proxy(bytes));
