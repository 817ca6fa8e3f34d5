//! The calls, one file each: decoded as Linux decodes them, done by the host, shown on the carrier.

mod accept;
mod bind;
mod connect;
mod control;
mod interface;
mod ioctl;
mod listen;
mod message;
mod more;
mod name;
mod namespace;
mod option;
mod receive;
pub(crate) mod receive_many;
mod renew;
mod route;
mod send;
mod shutdown;
mod socket;
mod stream;
