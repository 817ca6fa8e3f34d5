//! `libieum.so` and `libieum.a`: all of crate `ieum-c` under the name that programs link to.

pub use ieum_c::{answer, host, message, socket, transfer, wait};
