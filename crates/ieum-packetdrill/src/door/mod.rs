//! The functions that the tool calls: what C hands over becomes slices and addresses here, and the other way round.
//!
//! All of it is unsafe, and nothing else in this crate sees a pointer of the tool's, save for `imports`. Files: `sys` (the
//! table, and how calls answer), and by event `socket`, `transfer` (reading and writing), `wait`, `link` (packets and time);
//! `memory` (the tool's, to read and to fill).

mod sys;

mod memory {
    pub(super) mod sys;
}

mod link {
    pub(super) mod sys;
}

mod socket {
    pub(super) mod sys;
}

mod transfer {
    pub(super) mod sys;
}

mod wait {
    pub(super) mod sys;
}

pub(crate) use socket::sys::getsockopt_of;
pub(crate) use sys::count;
pub use sys::packetdrill_interface_init;
