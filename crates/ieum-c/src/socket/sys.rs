//! The doors from `socket` to `close`, and to options.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::io;

use ieum::Host;
use ieum::sockets::sockaddr::encode;
use ieum::sockets::{INTERFACE_REQUEST_BYTES, SIOCGIFCONF, is_about_interfaces, shown_option};
use libc::{ifconf, sockaddr, socklen_t};

use super::{
    GIVEN_BYTES_MAX, accept, ask_interface, bind, connect, fcntl, interface_list, ioctl, is_given, listen,
    set_nonblocking, shutdown, socket,
};
use crate::answer::{answer, error, nothing};
use crate::host::running;
use crate::memory::sys::{fill, fill_value, length, list, named};
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

/// ioctl(2): FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK and FIONBIO, all of which have an int as their argument; and
/// what is asked of the host's interfaces (netdevice(7)): a `struct ifreq`, for SIOCGIFCONF a `struct ifconf`.
///
/// # Safety
///
/// `argument` leads to what the request asks with, or is NULL; so does the pointer in a `struct ifconf`.
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
        if let Some(request) = u32::try_from(request).ok().filter(|request| is_about_interfaces(*request)) {
            // SAFETY: as above.
            return unsafe { about_interfaces(number, request, argument.cast()) };
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

/// SIOCGIFCONF, or what has a `struct ifreq`.
///
/// # Safety
///
/// As above.
unsafe fn about_interfaces(number: c_int, request: u32, argument: *mut u8) -> io::Result<()> {
    if request != SIOCGIFCONF {
        // SAFETY: as above.
        let asked = unsafe { list(argument, INTERFACE_REQUEST_BYTES) }?;
        let asked = asked.try_into().expect("a list of so many has so many");
        let told = ask_interface(number, request, asked)?;
        // SAFETY: as above.
        return unsafe { fill(argument, &told) };
    }
    if argument.is_null() {
        return Err(error(libc::EFAULT));
    }
    // SAFETY: as above. It need not stand where such do.
    let mut asked = unsafe { argument.cast::<ifconf>().read_unaligned() };
    // SAFETY: one of two pointers, which have the same place.
    let room = unsafe { asked.ifc_ifcu.ifcu_buf };
    let told = interface_list(number, (!room.is_null()).then_some(asked.ifc_len))?;
    if !room.is_null() {
        // SAFETY: as above: no more than `ifc_len`.
        unsafe { fill(room.cast(), &told) }?;
    }
    asked.ifc_len = c_int::try_from(told.len()).map_err(|_| error(libc::EINVAL))?;
    // SAFETY: as above.
    unsafe { argument.cast::<ifconf>().write_unaligned(asked) };
    Ok(())
}
