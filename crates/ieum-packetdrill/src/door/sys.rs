//! C on this side, [`Shared`] on the other: the table of functions, and how each of them answers.
//!
//! Every function in the table is called by the tool with what the system call of its name is called with.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::sync::Arc;

use ieum_socket::Errno;

use super::{link, socket, transfer, wait};
use crate::flags::Flags;
use crate::interface::Interface;
use crate::shared::Shared;
use crate::{imports, told};

/// Fills the table of functions by which packetdrill drives a host.
///
/// `flags` is the text of `--so_flags`, or NULL. What is wrong with it is said on standard error, and the process
/// ends: the interface has no way to refuse.
///
/// # Safety
///
/// `flags` is NULL or a string of C, and `interface` leads to room for the table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn packetdrill_interface_init(flags: *const c_char, interface: *mut Interface) {
    let text = if flags.is_null() {
        String::new()
    } else {
        // SAFETY: the caller's: a string.
        unsafe { CStr::from_ptr(flags) }.to_string_lossy().into_owned()
    };
    let flags: Flags = told::flags().read(&text).unwrap_or_else(|wrong| {
        let _ = writeln!(std::io::stderr(), "libieum_packetdrill: --so_flags: {wrong}");
        std::process::exit(2)
    });
    let shared = Arc::new(Shared::new(flags));
    imports::redirect_to(Arc::clone(&shared));
    let table = Interface {
        userdata: Arc::into_raw(shared).cast_mut().cast(),
        free,
        socket: socket::sys::socket,
        bind: socket::sys::bind,
        listen: socket::sys::listen,
        accept: socket::sys::accept,
        connect: socket::sys::connect,
        read: transfer::sys::read,
        readv: transfer::sys::readv,
        recv: transfer::sys::recv,
        recvfrom: transfer::sys::recvfrom,
        recvmsg: transfer::sys::recvmsg,
        write: transfer::sys::write,
        writev: transfer::sys::writev,
        send: transfer::sys::send,
        sendto: transfer::sys::sendto,
        sendmsg: transfer::sys::sendmsg,
        fcntl: socket::sys::fcntl,
        ioctl: socket::sys::ioctl,
        close: socket::sys::close,
        shutdown: socket::sys::shutdown,
        getsockopt: socket::sys::getsockopt,
        setsockopt: socket::sys::setsockopt,
        poll: wait::sys::poll,
        netdev_send: link::sys::netdev_send,
        netdev_receive: link::sys::netdev_receive,
        usleep: link::sys::usleep,
        gettimeofday: link::sys::gettimeofday,
        epoll_create: wait::sys::epoll_create,
        epoll_ctl: wait::sys::epoll_ctl,
        epoll_wait: wait::sys::epoll_wait,
        pipe: transfer::sys::pipe,
        splice: transfer::sys::splice,
    };
    // SAFETY: the caller's: room for the table, which need not hold one yet.
    unsafe { interface.write(table) };
}

/// What every call is told first.
///
/// # Safety
///
/// `userdata` is what [`packetdrill_interface_init`] gave out, and lives for as long as the result is used.
pub(in crate::door) unsafe fn shared<'a>(userdata: *mut c_void) -> &'a Shared {
    // SAFETY: the caller's.
    unsafe { &*userdata.cast::<Shared>() }
}

/// An answer as C gives it: a number, or -1 and errno.
pub(in crate::door) fn answer<N: TryFrom<i64> + From<i8>>(answer: Result<i64, Errno>) -> N {
    match answer.and_then(|number| N::try_from(number).map_err(|_| Errno(libc::EOVERFLOW))) {
        Ok(number) => number,
        Err(errno) => {
            // SAFETY: errno of this thread is there to be written.
            unsafe { *libc::__errno_location() = errno.0 };
            N::from(-1)
        }
    }
}

pub(in crate::door) fn nothing(done: Result<(), Errno>) -> c_int {
    answer(done.map(|()| 0))
}

/// A number of bytes as C gives it: or -1 and errno.
pub(crate) fn count(count: Result<usize, Errno>) -> isize {
    answer(count.and_then(|count| i64::try_from(count).map_err(|_| Errno(libc::EOVERFLOW))))
}

unsafe extern "C" fn free(userdata: *mut c_void) {
    imports::forget();
    // SAFETY: as above: what was given out with `into_raw`, once, comes back once.
    drop(unsafe { Arc::from_raw(userdata.cast::<Shared>().cast_const()) });
}
