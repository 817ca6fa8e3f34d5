//! The calls of a program, one file each: `impl Host` blocks with the meaning and the errors of the manual pages.

mod accept;
mod ancillary;
mod bind;
mod close;
pub(crate) mod connect;
pub(crate) mod cork;
pub(crate) mod destination;
mod device;
mod disconnect;
mod group;
mod group_list;
pub(crate) mod interface;
mod ioctl;
mod listen;
pub(crate) mod listen_any;
mod name;
mod option;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod shutdown;
mod socket;
