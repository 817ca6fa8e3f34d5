//! C on this side, [`Shared`] on the other.
//!
//! Every function here is called by the tool with what the system call of its name is called with. What is relied on:
//! `userdata` is what [`packetdrill_interface_init`] gave out and `free` has not been told yet; and a pointer that is not NULL
//! leads to as many bytes as its length says, for as long as the call lasts. `SAFETY: as above` means that.

use std::ffi::{CStr, c_char, c_int, c_longlong, c_uint, c_ulong, c_void};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{ptr, slice};

use ieum_socket::Errno;
use libc::{epoll_event, iovec, msghdr, nfds_t, off64_t, pollfd, sockaddr, socklen_t, timeval};

use crate::call::epoll::Interest;
use crate::call::transfer::{Read, Reading, Writing};
use crate::call::{EFAULT, address};
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
        eprintln!("libieum_packetdrill: --so_flags: {wrong}");
        std::process::exit(2)
    });
    let shared = Arc::new(Shared::new(flags));
    imports::redirect_to(Arc::clone(&shared));
    let table = Interface {
        userdata: Arc::into_raw(shared).cast_mut().cast(),
        free,
        socket,
        bind,
        listen,
        accept,
        connect,
        read,
        readv,
        recv,
        recvfrom,
        recvmsg,
        write,
        writev,
        send,
        sendto,
        sendmsg,
        fcntl,
        ioctl,
        close,
        shutdown,
        getsockopt,
        setsockopt,
        poll,
        netdev_send,
        netdev_receive,
        usleep,
        gettimeofday,
        epoll_create,
        epoll_ctl,
        epoll_wait,
        pipe,
        splice,
    };
    // SAFETY: the caller's: room for the table, which need not hold one yet.
    unsafe { interface.write(table) };
}

/// What every call is told first.
///
/// # Safety
///
/// `userdata` is what [`packetdrill_interface_init`] gave out, and lives for as long as the result is used.
unsafe fn shared<'a>(userdata: *mut c_void) -> &'a Shared {
    // SAFETY: the caller's.
    unsafe { &*userdata.cast::<Shared>() }
}

/// An answer as C gives it: a number, or -1 and errno.
fn answer<N: TryFrom<i64> + From<i8>>(answer: Result<i64, Errno>) -> N {
    match answer.and_then(|number| N::try_from(number).map_err(|_| Errno(libc::EOVERFLOW))) {
        Ok(number) => number,
        Err(errno) => {
            // SAFETY: errno of this thread is there to be written.
            unsafe { *libc::__errno_location() = errno.0 };
            N::from(-1)
        }
    }
}

fn nothing(done: Result<(), Errno>) -> c_int {
    answer(done.map(|()| 0))
}

/// A number of bytes as C gives it: or -1 and errno.
pub(crate) fn count(count: Result<usize, Errno>) -> isize {
    answer(count.and_then(|count| i64::try_from(count).map_err(|_| Errno(libc::EOVERFLOW))))
}

/// A length of C's.
fn length(length: socklen_t) -> usize {
    usize::try_from(length).unwrap_or(0)
}

/// Bytes of the caller's; NULL is a bad address unless it is for none.
///
/// # Safety
///
/// As above.
unsafe fn bytes<'a>(at: *const c_void, length: usize) -> Result<&'a [u8], Errno> {
    match (at.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(EFAULT),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts(at.cast(), length) }),
    }
}

/// A list of the caller's.
///
/// # Safety
///
/// As above.
unsafe fn list<'a, T>(at: *const T, count: usize) -> Result<&'a [T], Errno> {
    match (at.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(EFAULT),
        // SAFETY: as above.
        (false, _) => Ok(unsafe { slice::from_raw_parts(at, count) }),
    }
}

/// Bytes for the caller.
///
/// # Safety
///
/// As above; `room` bytes can be written there unless it is NULL.
unsafe fn fill(at: *mut c_void, room: usize, from: &[u8]) {
    if !at.is_null() {
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), at.cast::<u8>(), from.len().min(room)) };
    }
}

/// A value for the caller, cut to the room that it says it has; then it is told how long the value is.
///
/// # Safety
///
/// As above.
unsafe fn fill_value(at: *mut c_void, room: *mut socklen_t, from: &[u8], told_whole: bool) {
    if room.is_null() {
        return;
    }
    // SAFETY: as above.
    unsafe {
        let had = length(*room);
        fill(at, had, from);
        let told = if told_whole { from.len() } else { from.len().min(had) };
        *room = socklen_t::try_from(told).unwrap_or(socklen_t::MAX);
    }
}

/// An address of the caller's; `None` for AF_UNSPEC.
///
/// # Safety
///
/// As above.
unsafe fn named(at: *const sockaddr, len: socklen_t) -> Result<Option<SocketAddr>, Errno> {
    // SAFETY: as above.
    address::decode(unsafe { bytes(at.cast(), length(len)) }?)
}

/// Buffers of `readv`, `writev` and messages.
///
/// # Safety
///
/// As above.
unsafe fn gather(buffers: &[iovec]) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    for buffer in buffers {
        // SAFETY: as above.
        all.extend(unsafe { bytes(buffer.iov_base, buffer.iov_len) }?);
    }
    Ok(all)
}

/// The other way round.
///
/// # Safety
///
/// As above.
unsafe fn scatter(buffers: &[iovec], mut from: &[u8]) {
    for buffer in buffers {
        let (here, rest) = from.split_at(from.len().min(buffer.iov_len));
        // SAFETY: as above.
        unsafe { fill(buffer.iov_base, buffer.iov_len, here) };
        from = rest;
    }
}

/// Reads into buffers; what was read besides their bytes.
///
/// # Safety
///
/// As above.
unsafe fn read_into(shared: &Shared, number: c_int, buffers: &[iovec], flags: c_int) -> Result<Read, Errno> {
    let bytes = buffers.iter().map(|buffer| buffer.iov_len).sum();
    let into = buffers.iter().all(|buffer| !buffer.iov_base.is_null() || buffer.iov_len == 0);
    let read = shared.read(Reading { number, bytes, flags, into })?;
    // SAFETY: as above.
    unsafe { scatter(buffers, &read.bytes) };
    Ok(read)
}

unsafe extern "C" fn free(userdata: *mut c_void) {
    imports::forget();
    // SAFETY: as above: what was given out with `into_raw`, once, comes back once.
    drop(unsafe { Arc::from_raw(userdata.cast::<Shared>().cast_const()) });
}

unsafe extern "C" fn socket(userdata: *mut c_void, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.socket(domain, kind, protocol).map(i64::from))
}

unsafe extern "C" fn bind(
    userdata: *mut c_void,
    number: c_int,
    at: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, address) = unsafe { (shared(userdata), named(at, len)) };
    nothing(address.and_then(|address| shared.bind(number, address)))
}

unsafe extern "C" fn listen(userdata: *mut c_void, number: c_int, backlog: c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.listen(number, backlog))
}

unsafe extern "C" fn accept(
    userdata: *mut c_void,
    number: c_int,
    at: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as above.
    let accepted = unsafe { shared(userdata) }.accept(number);
    answer(accepted.map(|(number, peer)| {
        // SAFETY: as above.
        unsafe { fill_value(at.cast(), len, &address::encode(peer), true) };
        i64::from(number)
    }))
}

unsafe extern "C" fn connect(
    userdata: *mut c_void,
    number: c_int,
    at: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, address) = unsafe { (shared(userdata), named(at, len)) };
    nothing(address.and_then(|address| shared.connect(number, address)))
}

unsafe extern "C" fn read(userdata: *mut c_void, number: c_int, into: *mut c_void, len: usize) -> isize {
    // SAFETY: as above.
    unsafe { recv(userdata, number, into, len, 0) }
}

unsafe extern "C" fn readv(
    userdata: *mut c_void,
    number: c_int,
    buffers: *const iovec,
    buffers_count: c_int,
) -> isize {
    let buffers_count = usize::try_from(buffers_count).map_err(|_| Errno::EINVAL);
    count(buffers_count.and_then(|buffers_count| {
        // SAFETY: as above.
        let read = unsafe { read_into(shared(userdata), number, list(buffers, buffers_count)?, 0) }?;
        Ok(read.answer)
    }))
}

unsafe extern "C" fn recv(
    userdata: *mut c_void,
    number: c_int,
    into: *mut c_void,
    len: usize,
    flags: c_int,
) -> isize {
    let buffer = iovec { iov_base: into, iov_len: len };
    // SAFETY: as above.
    count(unsafe { read_into(shared(userdata), number, &[buffer], flags) }.map(|read| read.answer))
}

unsafe extern "C" fn recvfrom(
    userdata: *mut c_void,
    number: c_int,
    into: *mut c_void,
    len: usize,
    flags: c_int,
    at: *mut sockaddr,
    at_len: *mut socklen_t,
) -> isize {
    let buffer = iovec { iov_base: into, iov_len: len };
    // SAFETY: as above.
    let read = unsafe { read_into(shared(userdata), number, &[buffer], flags) };
    count(read.map(|read| {
        let source = read.source.map(address::encode).unwrap_or_default();
        // SAFETY: as above.
        unsafe { fill_value(at.cast(), at_len, &source, true) };
        read.answer
    }))
}

unsafe extern "C" fn recvmsg(
    userdata: *mut c_void,
    number: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> isize {
    if message.is_null() {
        return count(Err(EFAULT));
    }
    // SAFETY: as above; nobody else has the message while the call lasts.
    let message = unsafe { &mut *message };
    // SAFETY: as above.
    let buffers = unsafe { list(message.msg_iov, message.msg_iovlen) };
    // SAFETY: as above.
    let read = buffers.and_then(|buffers| unsafe { read_into(shared(userdata), number, buffers, flags) });
    count(read.map(|read| {
        let source = read.source.map(address::encode).unwrap_or_default();
        // SAFETY: as above.
        unsafe { fill_value(message.msg_name, &raw mut message.msg_namelen, &source, true) };
        message.msg_flags = read.message_flags;
        // SAFETY: as above.
        unsafe { tell_unread(message, read.unread) };
        read.answer
    }))
}

/// The control message that says how much is left to be read, if one is to be told and there is room for it.
///
/// # Safety
///
/// As above.
unsafe fn tell_unread(message: &mut msghdr, unread: Option<usize>) {
    let told = unread.map(|bytes| c_int::try_from(bytes).unwrap_or(c_int::MAX));
    // SAFETY: as above: CMSG_FIRSTHDR gives a place for a header within the control bytes, or none; and when they are
    // as many as CMSG_SPACE says there is room for the number too.
    unsafe {
        let needed = libc::CMSG_SPACE(NUMBER_BYTES) as usize;
        let (room, place) = (message.msg_controllen, libc::CMSG_FIRSTHDR(message));
        message.msg_controllen = 0;
        let Some(told) = told else { return };
        if place.is_null() || room < needed {
            message.msg_flags |= libc::MSG_CTRUNC;
            return;
        }
        (*place).cmsg_len = libc::CMSG_LEN(NUMBER_BYTES) as usize;
        (*place).cmsg_level = libc::SOL_TCP;
        (*place).cmsg_type = libc::TCP_CM_INQ;
        libc::CMSG_DATA(place).cast::<c_int>().write_unaligned(told);
        message.msg_controllen = needed;
    }
}

/// Bytes of a number in a control message.
const NUMBER_BYTES: c_uint = 4;

unsafe extern "C" fn write(userdata: *mut c_void, number: c_int, from: *const c_void, len: usize) -> isize {
    // SAFETY: as above.
    unsafe { sendto(userdata, number, from, len, 0, ptr::null(), 0) }
}

unsafe extern "C" fn writev(
    userdata: *mut c_void,
    number: c_int,
    buffers: *const iovec,
    buffers_count: c_int,
) -> isize {
    let buffers_count = usize::try_from(buffers_count).map_err(|_| Errno::EINVAL);
    count(buffers_count.and_then(|buffers_count| {
        // SAFETY: as above.
        let bytes = unsafe { list(buffers, buffers_count).and_then(|buffers| gather(buffers)) };
        let writing = Writing { number, bytes: bytes.as_deref().map_err(|errno| *errno), flags: 0, to: None };
        // SAFETY: as above.
        unsafe { shared(userdata) }.write(writing)
    }))
}

unsafe extern "C" fn send(
    userdata: *mut c_void,
    number: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: as above.
    unsafe { sendto(userdata, number, from, len, flags, ptr::null(), 0) }
}

unsafe extern "C" fn sendto(
    userdata: *mut c_void,
    number: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
    at: *const sockaddr,
    at_len: socklen_t,
) -> isize {
    // SAFETY: as above.
    let to = if at.is_null() { Ok(None) } else { unsafe { named(at, at_len) } };
    count(to.and_then(|to| {
        // SAFETY: as above.
        let (shared, bytes) = unsafe { (shared(userdata), bytes(from, len)) };
        shared.write(Writing { number, bytes, flags, to })
    }))
}

unsafe extern "C" fn sendmsg(
    userdata: *mut c_void,
    number: c_int,
    message: *const msghdr,
    flags: c_int,
) -> isize {
    if message.is_null() {
        return count(Err(EFAULT));
    }
    // SAFETY: as above.
    let message = unsafe { &*message };
    let to = if message.msg_name.is_null() {
        Ok(None)
    } else {
        // SAFETY: as above.
        unsafe { named(message.msg_name.cast(), message.msg_namelen) }
    };
    count(to.and_then(|to| {
        // SAFETY: as above.
        let bytes = unsafe { list(message.msg_iov, message.msg_iovlen).and_then(|buffers| gather(buffers)) };
        let writing = Writing { number, bytes: bytes.as_deref().map_err(|errno| *errno), flags, to };
        // SAFETY: as above.
        unsafe { shared(userdata) }.write(writing)
    }))
}

unsafe extern "C" fn fcntl(userdata: *mut c_void, number: c_int, command: c_int, argument: c_ulong) -> c_int {
    // An int, of whose upper half nothing is known.
    let [a, b, c, d, ..] = argument.to_le_bytes();
    let argument = i32::from_le_bytes([a, b, c, d]);
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.fcntl(number, command, argument).map(i64::from))
}

unsafe extern "C" fn ioctl(
    userdata: *mut c_void,
    number: c_int,
    request: c_ulong,
    into: *mut c_int,
) -> c_int {
    // SAFETY: as above.
    let found = unsafe { shared(userdata) }.ioctl(number, request);
    answer(found.map(|found| {
        if !into.is_null() {
            // SAFETY: the requests that are known have an int to be written as their argument.
            unsafe { *into = found };
        }
        0
    }))
}

unsafe extern "C" fn close(userdata: *mut c_void, number: c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.close(number))
}

unsafe extern "C" fn shutdown(userdata: *mut c_void, number: c_int, how: c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.shutdown(number, how))
}

unsafe extern "C" fn getsockopt(
    userdata: *mut c_void,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as above.
    unsafe { getsockopt_of(shared(userdata), number, level, name, value, len) }
}

/// getsockopt(2), answered by `shared`.
///
/// # Safety
///
/// `value` leads to as many bytes as `len` says.
pub(crate) unsafe fn getsockopt_of(
    shared: &Shared,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    nothing(shared.getsockopt(number, level, name).map(|found| {
        // SAFETY: the caller's.
        unsafe { fill_value(value, len, &found, false) };
    }))
}

unsafe extern "C" fn setsockopt(
    userdata: *mut c_void,
    number: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: as above.
    let (shared, value) = unsafe { (shared(userdata), bytes(value, length(len))) };
    nothing(value.and_then(|value| shared.setsockopt(number, level, name, value)))
}

unsafe extern "C" fn poll(userdata: *mut c_void, at: *mut pollfd, waits: nfds_t, timeout_ms: c_int) -> c_int {
    let waits = usize::try_from(waits).map_err(|_| Errno::EINVAL);
    answer(waits.and_then(|waits| {
        if at.is_null() && waits > 0 {
            return Err(EFAULT);
        }
        // SAFETY: as above; nobody else has the list while the call lasts.
        let list = if waits == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(at, waits) } };
        let askers: Vec<(i32, i32)> =
            list.iter().map(|asker| (asker.fd, i32::from(asker.events.cast_unsigned()))).collect();
        // SAFETY: as above.
        let found = unsafe { shared(userdata) }.poll(&askers, timeout_ms)?;
        let mut ready = 0;
        for (asker, events) in list.iter_mut().zip(found) {
            asker.revents = u16::try_from(events).unwrap_or(0).cast_signed();
            ready += i64::from(events != 0);
        }
        Ok(ready)
    }))
}

unsafe extern "C" fn netdev_send(userdata: *mut c_void, packet: *const c_void, len: usize) -> c_int {
    // SAFETY: as above.
    let (shared, packet) = unsafe { (shared(userdata), bytes(packet, len)) };
    nothing(packet.map(|packet| shared.inject(packet)))
}

unsafe extern "C" fn netdev_receive(
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
        eprintln!("libieum_packetdrill: no packet comes, and none will");
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

unsafe extern "C" fn usleep(userdata: *mut c_void, us: c_uint) -> c_int {
    // SAFETY: as above.
    unsafe { shared(userdata) }.usleep(Duration::from_micros(us.into()));
    0
}

unsafe extern "C" fn gettimeofday(userdata: *mut c_void, into: *mut timeval, _zone: *mut c_void) -> c_int {
    // SAFETY: as above.
    let us = unsafe { shared(userdata) }.time().micros();
    let [seconds, us] = [us / 1_000_000, us % 1_000_000].map(|part| i64::try_from(part).unwrap_or(i64::MAX));
    // SAFETY: as above.
    unsafe { into.write(timeval { tv_sec: seconds, tv_usec: us }) };
    0
}

unsafe extern "C" fn epoll_create(userdata: *mut c_void, size: c_int) -> c_int {
    // SAFETY: as above.
    answer(unsafe { shared(userdata) }.epoll_create(size).map(i64::from))
}

unsafe extern "C" fn epoll_ctl(
    userdata: *mut c_void,
    epoll: c_int,
    operation: c_int,
    number: c_int,
    event: *mut epoll_event,
) -> c_int {
    let interest = if event.is_null() {
        None
    } else {
        // SAFETY: as above.
        let event = unsafe { event.read_unaligned() };
        Some(Interest::new(event.events, event.u64))
    };
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.epoll_ctl(epoll, operation, number, interest))
}

unsafe extern "C" fn epoll_wait(
    userdata: *mut c_void,
    epoll: c_int,
    into: *mut epoll_event,
    most: c_int,
    timeout_ms: c_int,
) -> c_int {
    let Some(most) = usize::try_from(most).ok().filter(|most| *most > 0 && !into.is_null()) else {
        return nothing(Err(Errno::EINVAL));
    };
    // SAFETY: as above.
    let found = unsafe { shared(userdata) }.epoll_wait(epoll, most, timeout_ms);
    let ready = found.map(|found| {
        for (at, (events, data)) in found.iter().take(most).enumerate() {
            // SAFETY: as above: room for `most`.
            unsafe { into.add(at).write_unaligned(epoll_event { events: *events, u64: *data }) };
        }
        i64::try_from(found.len()).unwrap_or(i64::MAX)
    });
    answer(ready)
}

unsafe extern "C" fn pipe(userdata: *mut c_void, into: *mut c_int) -> c_int {
    // SAFETY: as above.
    nothing(unsafe { shared(userdata) }.pipe().map(|[reader, writer]| {
        // SAFETY: as above: room for two.
        unsafe {
            into.write(reader);
            into.add(1).write(writer);
        }
    }))
}

/// The offsets, which neither pipes nor sockets have, are not looked at: the tool hands over ones that mean nothing.
unsafe extern "C" fn splice(
    userdata: *mut c_void,
    from: c_int,
    _from_at: *mut off64_t,
    to: c_int,
    _to_at: *mut off64_t,
    len: usize,
    flags: c_uint,
) -> isize {
    // SAFETY: as above.
    count(unsafe { shared(userdata) }.splice(from, to, len, flags))
}
