//! Two hosts with an adversary between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ieum_fuzz::adversary(input));
