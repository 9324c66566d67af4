//! The access log: a format is taken or refused for what is in it, and a request makes one line.

#![no_main]

use ferricorn_telemetry::invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::access_log(bytes));
