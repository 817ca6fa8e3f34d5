//! The functions that the tool calls: what C hands over becomes slices and addresses here, and the other way round.
//!
//! One file, because all of it is unsafe: nothing else in this crate sees a pointer of the tool's, save for `imports`.

mod sys;

pub use sys::packetdrill_interface_init;
pub(crate) use sys::{count, getsockopt_of};
