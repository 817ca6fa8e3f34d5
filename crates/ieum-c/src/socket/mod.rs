//! From `socket` to `close`: calls that make, shape and end sockets.

pub mod sys;

use std::io;
use std::net::{Shutdown, SocketAddr};

use ieum::Host;
use ieum::sockets::INTERFACE_REQUEST_BYTES;
use ieum::sockets::numbers::{IP_MSFILTER, MCAST_MSFILTER};

use crate::answer::error;
use crate::table::{self, Open};

/// Bytes that are looked at of what is given with a question: the longest, a list of senders of one group with as many
/// as Linux's bound (net.ipv4.igmp_max_msf, 10 unless raised), is shorter.
const GIVEN_BYTES_MAX: usize = 4096;

/// Is an option asked with something given: which group?
fn is_given(level: i32, name: i32) -> bool {
    matches!(level, libc::IPPROTO_IP | libc::IPPROTO_IPV6) && matches!(name, IP_MSFILTER | MCAST_MSFILTER)
}

/// A socket of a host; its number.
fn socket(host: &Host, domain: i32, kind: i32, protocol: i32) -> io::Result<i64> {
    table::add(Open::Socket(host.socket(domain, kind, protocol)?))
}

fn bind(number: i32, address: io::Result<&[u8]>) -> io::Result<()> {
    let open = table::get(number)?;
    let socket = open.socket()?;
    socket.bind(socket.address_to_bind(address?)?)
}

fn connect(number: i32, address: io::Result<&[u8]>) -> io::Result<()> {
    let open = table::get(number)?;
    let socket = open.socket()?;
    socket.connect(socket.address_to_connect(address?)?)
}

fn listen(number: i32, backlog: i32) -> io::Result<()> {
    table::get(number)?.socket()?.listen(backlog)
}

/// The connection's number, and its peer.
fn accept(number: i32, flags: i32) -> io::Result<(i64, SocketAddr)> {
    let open = table::get(number)?;
    let socket = open.socket()?;
    if flags & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) != 0 {
        return Err(error(libc::EINVAL));
    }
    let (accepted, peer) = socket.accept()?;
    accepted.set_nonblocking(flags & libc::SOCK_NONBLOCK != 0);
    Ok((table::add(Open::Socket(accepted))?, peer))
}

fn shutdown(number: i32, how: i32) -> io::Result<()> {
    let open = table::get(number)?;
    let socket = open.socket()?;
    socket.shutdown(match how {
        libc::SHUT_RD => Shutdown::Read,
        libc::SHUT_WR => Shutdown::Write,
        libc::SHUT_RDWR => Shutdown::Both,
        _ => return Err(error(libc::EINVAL)),
    })
}

/// `fcntl`, of which what concerns O_NONBLOCK and copies means something. Nothing here survives exec.
fn fcntl(number: i32, command: i32, argument: i64) -> io::Result<i64> {
    let open = table::get(number)?;
    // Beyond an int there is no descriptor and no flag.
    let argument = i32::try_from(argument).map_err(|_| error(libc::EINVAL));
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => table::duplicate(number, argument?),
        libc::F_GETFD => Ok(libc::FD_CLOEXEC.into()),
        libc::F_SETFD => Ok(0),
        libc::F_GETFL => {
            let nonblocking = open.socket().is_ok_and(|socket| socket.is_nonblocking());
            Ok((libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 }).into())
        }
        libc::F_SETFL => {
            let nonblocking = argument? & libc::O_NONBLOCK != 0;
            open.socket()?.set_nonblocking(nonblocking);
            Ok(0)
        }
        _ => Err(error(libc::EINVAL)),
    }
}

/// The answer of an `ioctl` that asks for a number.
fn ioctl(number: i32, request: u64) -> io::Result<i32> {
    table::get(number)?.socket()?.ioctl(request)
}

/// An `ioctl` about interfaces, save SIOCGIFCONF; its `struct ifreq`, with the answer in it.
fn ask_interface(
    number: i32,
    request: u32,
    mut asked: [u8; INTERFACE_REQUEST_BYTES],
) -> io::Result<[u8; INTERFACE_REQUEST_BYTES]> {
    table::get(number)?.socket()?.ask_interface(request, &mut asked)?;
    Ok(asked)
}

/// SIOCGIFCONF.
fn interface_list(number: i32, room_bytes: Option<i32>) -> io::Result<Vec<u8>> {
    table::get(number)?.socket()?.interface_list(room_bytes)
}

/// FIONBIO.
fn set_nonblocking(number: i32, nonblocking: bool) -> io::Result<()> {
    table::get(number)?.socket()?.set_nonblocking(nonblocking);
    Ok(())
}
