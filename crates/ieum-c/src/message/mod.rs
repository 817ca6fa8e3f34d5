//! Messages: bytes with an address and control messages, one in a call or many.

pub mod sys;

use std::io;

use crate::table;

/// Messages of one call: as many as Linux takes (UIO_MAXIOV).
const MESSAGES_MAX: usize = 1024;

/// Bytes of control messages that are sent along with one: what Linux takes (net.core.optmem_max).
const CONTROL_BYTES_MAX: usize = 131_072;

/// Is an error what the next call would tell? Then it is left for that call.
fn nothing_more(number: i32) -> io::Result<bool> {
    Ok(table::get(number)?.socket()?.readiness().error)
}
