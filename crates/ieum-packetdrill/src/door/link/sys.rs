//! Packets and time.
//!
//! What is relied on: `userdata` is what [`crate::packetdrill_interface_init`] gave out and `free` has not been told yet; and
//! what `memory` says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_longlong, c_uint, c_void};
use std::io::Write;
use std::time::Duration;

use libc::timeval;

use super::super::memory::sys::{bytes, fill};
use super::super::sys::{nothing, shared};

pub(in crate::door) unsafe extern "C" fn netdev_send(
    userdata: *mut c_void,
    packet: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: as above.
    let (shared, packet) = unsafe { (shared(userdata), bytes(packet, len)) };
    nothing(packet.map(|packet| shared.inject(packet)))
}

pub(in crate::door) unsafe extern "C" fn netdev_receive(
    userdata: *mut c_void,
    into: *mut c_void,
    len: *mut usize,
    time_us: *mut c_longlong,
) -> c_int {
    // SAFETY: as above.
    let sniffed = unsafe { shared(userdata) }.receive();
    if sniffed.is_none() {
        // The tool knows no end of waiting here: -1 would make it ask again, for ever. It takes a packet of no bytes
        // for a wrong one and says so, which alone would mislead.
        let _ = writeln!(std::io::stderr(), "libieum_packetdrill: no packet comes, and none will");
    }
    let (packet, at_us) = sniffed.map_or((Vec::new(), 0), |sniffed| (sniffed.bytes, sniffed.at.micros()));
    // SAFETY: as above.
    unsafe {
        let room = *len;
        fill(into, room, &packet);
        *len = packet.len().min(room);
        *time_us = c_longlong::try_from(at_us).unwrap_or(c_longlong::MAX);
    }
    0
}

pub(in crate::door) unsafe extern "C" fn usleep(userdata: *mut c_void, us: c_uint) -> c_int {
    // SAFETY: as above.
    unsafe { shared(userdata) }.usleep(Duration::from_micros(us.into()));
    0
}

pub(in crate::door) unsafe extern "C" fn gettimeofday(
    userdata: *mut c_void,
    into: *mut timeval,
    _zone: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    let us = unsafe { shared(userdata) }.time().micros();
    let [seconds, us] = [us / 1_000_000, us % 1_000_000].map(|part| i64::try_from(part).unwrap_or(i64::MAX));
    // SAFETY: as above.
    unsafe { into.write(timeval { tv_sec: seconds, tv_usec: us }) };
    0
}
