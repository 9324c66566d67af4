//! What proxies say in header fields: it is believed of those who are trusted, and comes to what a plain reading comes to.

#![no_main]

use ferricorn_worker::invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::forwarded(bytes));
