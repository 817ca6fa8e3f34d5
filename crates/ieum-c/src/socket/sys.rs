//! The doors from `socket` to `close`, and to options.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_long, c_ulong, c_void};

use ieum::Host;
use ieum::sockets::shown_option;
use ieum::sockets::sockaddr::encode;
use libc::{sockaddr, socklen_t};

use super::{
    GIVEN_BYTES_MAX, accept, bind, connect, fcntl, ioctl, is_given, listen, set_nonblocking, shutdown, socket,
};
use crate::answer::{answer, error, nothing};
use crate::host::running;
use crate::memory::sys::{fill_value, length, list, named};
use crate::table;

/// socket(2), on the process's own host.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    answer(|| socket(&Host::of_process()?, domain, kind, protocol))
}

/// socket(2), on a host that was started.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_socket(host: c_int, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    answer(|| socket(&running(host)?, domain, kind, protocol))
}

/// bind(2).
///
/// # Safety
///
/// `address` leads to `address_len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_bind(number: c_int, address: *const sockaddr, address_len: socklen_t) -> c_int {
    // SAFETY: as above.
    nothing(|| bind(number, unsafe { named(address, address_len) }))
}

/// listen(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_listen(number: c_int, backlog: c_int) -> c_int {
    nothing(|| listen(number, backlog))
}

/// accept(2).
///
/// # Safety
///
/// `address` leads to as many bytes as `address_len` says, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_accept(
    number: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> c_int {
    // SAFETY: as above.
    unsafe { ieum_accept4(number, address, address_len, 0) }
}

/// accept4(2).
///
/// # Safety
///
/// `address` leads to as many bytes as `address_len` says, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_accept4(
    number: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    answer(|| {
        let (accepted, peer) = accept(number, flags)?;
        if !address.is_null() {
            // SAFETY: as above.
            let filled = unsafe { fill_value(address.cast(), address_len, &encode(peer), true) };
            if let Err(error) = filled {
                // As on Linux the connection is gone then.
                i32::try_from(accepted).into_iter().try_for_each(table::close)?;
                return Err(error);
            }
        }
        Ok(accepted)
    })
}

/// connect(2). An address of AF_UNSPEC dissolves the association.
///
/// # Safety
///
/// `address` leads to `address_len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_connect(
    number: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    nothing(|| connect(number, unsafe { named(address, address_len) }))
}

/// shutdown(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_shutdown(number: c_int, how: c_int) -> c_int {
    nothing(|| shutdown(number, how))
}

/// close(2): of sockets, epolls, hosts, links and networks. What was sent is delivered all the same.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_close(number: c_int) -> c_int {
    nothing(|| table::close(number))
}

/// dup(2).
#[unsafe(no_mangle)]
pub extern "C" fn ieum_dup(number: c_int) -> c_int {
    answer(|| table::duplicate(number, 0))
}

/// getsockname(2).
///
/// # Safety
///
/// `address` leads to as many bytes as `address_len` says, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_getsockname(
    number: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> c_int {
    nothing(|| {
        let own = table::get(number)?.socket()?.local_addr()?;
        // SAFETY: as above.
        unsafe { fill_value(address.cast(), address_len, &encode(own), true) }
    })
}

/// getpeername(2).
///
/// # Safety
///
/// `address` leads to as many bytes as `address_len` says, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_getpeername(
    number: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> c_int {
    nothing(|| {
        let peer = table::get(number)?.socket()?.peer_addr()?;
        // SAFETY: as above.
        unsafe { fill_value(address.cast(), address_len, &encode(peer), true) }
    })
}

/// getsockopt(2).
///
/// # Safety
///
/// `value` leads to as many bytes as `value_len` says, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_getsockopt(
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    value_len: *mut socklen_t,
) -> c_int {
    nothing(|| {
        let open = table::get(number)?;
        let socket = open.socket()?;
        if value_len.is_null() {
            return Err(error(libc::EFAULT));
        }
        // SAFETY: as above. A number need not stand where numbers do.
        let room = unsafe { value_len.read_unaligned() };
        let given = if is_given(level, name) {
            // SAFETY: as above.
            unsafe { list(value.cast::<u8>(), length(room).min(GIVEN_BYTES_MAX)) }?
        } else {
            &[]
        };
        let found = socket.option_given(level, name, given)?;
        let told = shown_option(level, name, &found, length(room)).map_err(|errno| error(errno.0))?;
        // SAFETY: as above.
        unsafe { fill_value(value, value_len, told, false) }
    })
}

/// setsockopt(2).
///
/// # Safety
///
/// `value` leads to `value_len` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_setsockopt(
    number: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    value_len: socklen_t,
) -> c_int {
    nothing(|| {
        let open = table::get(number)?;
        let socket = open.socket()?;
        if i32::try_from(value_len).is_err() {
            return Err(error(libc::EINVAL));
        }
        // SAFETY: as above.
        let value = unsafe { list(value.cast::<u8>(), length(value_len)) }?;
        socket.set_option(level, name, value)
    })
}

/// fcntl(2): F_GETFL and F_SETFL with O_NONBLOCK, F_DUPFD, F_GETFD and F_SETFD. `argument` is 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_fcntl(number: c_int, command: c_int, argument: c_long) -> c_int {
    answer(|| fcntl(number, command, argument))
}

/// ioctl(2): FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK and FIONBIO, all of which have an int as their argument.
///
/// # Safety
///
/// `argument` leads to an int or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_ioctl(number: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    nothing(|| {
        let argument = argument.cast::<c_int>();
        if request == libc::FIONBIO {
            if argument.is_null() {
                return Err(error(libc::EFAULT));
            }
            // SAFETY: as above. A number need not stand where numbers do.
            return set_nonblocking(number, unsafe { argument.read_unaligned() } != 0);
        }
        let found = ioctl(number, request)?;
        if argument.is_null() {
            return Err(error(libc::EFAULT));
        }
        // SAFETY: as above.
        unsafe { argument.write_unaligned(found) };
        Ok(())
    })
}
