//! Segments against a live connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ieum_fuzz::segments(input));
