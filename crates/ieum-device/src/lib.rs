//! Frames in and out, and wrappers around a device.
//!
//! A device carries packets between a stack and something else; a wrapper looks at them, or changes what becomes
//! of them, on their way. Two stacks in one process need no device: whoever drives both hands a packet from one to
//! the other. Nothing here waits, and nothing decides about protocols.
//!
//! Files:
//!
//! - [`tun`]: a TUN or TAP interface, whose other end is the machine's kernel.
//! - `capture`: what a link carried, as a file for Wireshark.
//! - [`fault`]: what may go wrong with a frame, by a seed; [`faulty`]: a link on which it does.
//! - `sys`: the system calls that are not safe; all unsafe code of this crate.

mod capture;
pub mod fault;
pub mod faulty;
mod sys;
pub mod tun;

pub use capture::Capture;
pub use faulty::Faulty;
pub use tun::Tun;
