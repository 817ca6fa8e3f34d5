//! The system calls for which rustix has no word: the requests of TUN devices, packet sockets, and reading into fresh memory.

use std::ffi::{c_int, c_short, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// Numbers of the kernel's interface that are compared with or sent.
pub(crate) mod number {
    pub(crate) use libc::{
        IFA_ADDRESS, IFA_F_NODAD, IFA_FLAGS, IFA_LOCAL, IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_TUN_EXCL, IFF_UP,
        IFF_VNET_HDR, IFLA_MTU, IFLA_TXQLEN, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_ERROR,
        RTM_NEWADDR, RTM_NEWLINK, TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6,
    };
}

/// Bytes of an interface's name, the zero behind it included.
pub(crate) const NAME_BYTES: usize = libc::IFNAMSIZ;

/// TUNSETIFF: makes the open device file an interface of this name, or attaches it to the one there is.
pub(crate) fn set_interface(file: BorrowedFd<'_>, name: &str, flags: c_int) -> rustix::io::Result<()> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags = short(flags)?;
    // SAFETY: the request takes a pointer to an ifreq, which lives through the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })
}

/// TUNGETIFF: the name and flags of the interface that the device file is attached to.
pub(crate) fn interface(file: BorrowedFd<'_>) -> rustix::io::Result<(String, c_int)> {
    let mut request = request("")?;
    // SAFETY: the request takes a pointer to an ifreq, which lives through the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNGETIFF, &raw mut request) })?;
    // SAFETY: the call succeeded, so the kernel has written this field; any short is a value.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let name = request.ifr_name.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0);
    Ok((String::from_utf8_lossy(&name.collect::<Vec<u8>>()).into_owned(), flags.cast_unsigned().into()))
}

/// TUNSETVNETHDRSZ: how many bytes stand before each packet.
pub(crate) fn set_header_bytes(file: BorrowedFd<'_>, bytes: c_int) -> rustix::io::Result<()> {
    // SAFETY: the request takes a pointer to an int, which lives through the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const bytes) })
}

/// TUNSETOFFLOAD: what the kernel may leave undone in the packets it hands us.
pub(crate) fn set_offloads(file: BorrowedFd<'_>, offloads: c_uint) -> rustix::io::Result<()> {
    // SAFETY: the request takes its argument by value.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) })
}

/// A socket through which whole frames of one interface come and go, each behind the header of virtio-net (packet(7): SOCK_RAW,
/// PACKET_VNET_HDR). It hears nothing of what is sent there. It does not block.
pub(crate) fn packet_socket(index: u32) -> rustix::io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // Protocol 0: it hears nothing before it is bound.
    // SAFETY: the call takes integers.
    let number = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    check(number)?;
    // SAFETY: the descriptor was just made, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    for option in [libc::PACKET_VNET_HDR, libc::PACKET_IGNORE_OUTGOING] {
        set_option(socket.as_fd(), libc::SOL_PACKET, option, 1)?;
    }
    // SAFETY: the struct is plain integers, for which all zeroes is a value.
    let mut name: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    name.sll_family = u16::try_from(libc::AF_PACKET).map_err(|_| Errno::INVAL)?;
    name.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(|_| Errno::INVAL)?.to_be();
    name.sll_ifindex = c_int::try_from(index).map_err(|_| Errno::INVAL)?;
    let bytes = libc::socklen_t::try_from(size_of_val(&name)).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads as many bytes of `name`, which lives through the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), bytes) })?;
    Ok(socket)
}

/// SO_RCVBUFFORCE, or SO_RCVBUF for who may not exceed what everybody is allowed.
pub(crate) fn set_receive_room(socket: BorrowedFd<'_>, bytes: c_int) -> rustix::io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
}

/// setsockopt(2) with an option whose value is a number.
fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> rustix::io::Result<()> {
    let bytes = libc::socklen_t::try_from(size_of_val(&value)).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel reads as many bytes of `value`, which lives through the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), bytes) })
}

/// SIOCGIFMTU: the MTU of an interface, in bytes. `socket` is any socket of the interface's network namespace.
pub(crate) fn mtu(socket: BorrowedFd<'_>, name: &str) -> rustix::io::Result<u32> {
    let mut request = request(name)?;
    // SAFETY: the request takes a pointer to an ifreq, which lives through the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) })?;
    // SAFETY: the call succeeded, so the kernel has written this field; any int is a value.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    u32::try_from(mtu).map_err(|_| Errno::INVAL)
}

/// SIOCGIFFLAGS: whether an interface is up. `socket` is any socket of the interface's network namespace.
pub(crate) fn is_up(socket: BorrowedFd<'_>, name: &str) -> rustix::io::Result<bool> {
    let mut request = request(name)?;
    // SAFETY: the request takes a pointer to an ifreq, which lives through the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: the call succeeded, so the kernel has written this field; any short is a value.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(c_int::from(flags) & libc::IFF_UP != 0)
}

/// readv(2): fills both `heads`, then appends to `body` as far as its capacity reaches. The number of bytes that there
/// were, which may be more than there was room for.
pub(crate) fn read_scattered(
    file: BorrowedFd<'_>,
    heads: [&mut [u8]; 2],
    body: &mut Vec<u8>,
) -> rustix::io::Result<usize> {
    let head_bytes = heads[0].len() + heads[1].len();
    let [one, two] =
        heads.map(|head| libc::iovec { iov_base: head.as_mut_ptr().cast(), iov_len: head.len() });
    let spare = body.spare_capacity_mut();
    let room = spare.len();
    let parts = [one, two, libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: room }];
    // SAFETY: each part is memory we may write for as long as it says; the borrows live through the call.
    let count = unsafe { libc::readv(file.as_raw_fd(), parts.as_ptr(), 3) };
    let count = usize::try_from(count).map_err(|_| last_error())?;
    let filled = body.len() + count.saturating_sub(head_bytes).min(room);
    // SAFETY: the kernel has filled the heads, and then this many bytes behind the vector's length, within its capacity.
    unsafe { body.set_len(filled) };
    Ok(count)
}

/// A request about the interface `name`, everything else zero.
fn request(name: &str) -> rustix::io::Result<libc::ifreq> {
    // SAFETY: the struct is plain integers, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= NAME_BYTES {
        return Err(Errno::NAMETOOLONG);
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    Ok(request)
}

/// The flags of an interface have 16 bits, of which the highest is not a sign.
fn short(flags: c_int) -> rustix::io::Result<c_short> {
    u16::try_from(flags).map(u16::cast_signed).map_err(|_| Errno::INVAL)
}

fn check(result: c_int) -> rustix::io::Result<()> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

fn last_error() -> Errno {
    Errno::from_raw_os_error(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
