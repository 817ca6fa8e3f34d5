//! Packets into a live host.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ieum_fuzz::packets(input));
