//! Frames in and out, and wrappers around a device.
//!
//! A device carries IP packets between a stack and something else; a wrapper looks at them, or changes what becomes
//! of them, on their way. Two stacks in one process need no device: whoever drives both hands a packet from one to
//! the other.
//!
//! Files: `capture`, what a link carried, as a file for Wireshark.
#![forbid(unsafe_code)]

mod capture;

pub use capture::Capture;
