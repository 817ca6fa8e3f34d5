//! The functions that the tool calls: what C hands over becomes slices and addresses here, and the other way round.
//!
//! One file, because all of it is unsafe: nothing else in this crate sees a pointer of the tool's, save for `imports`.

mod sys;

pub(crate) use sys::getsockopt_of;
pub use sys::packetdrill_interface_init;
