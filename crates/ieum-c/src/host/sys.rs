//! The doors to networks, links and hosts.
//!
//! What is relied on: what [`crate::memory`] says of pointers. `SAFETY: as above` means that.

use std::ffi::{c_char, c_int, c_uint};

use super::{host_address, host_default, host_new, host_start, link_new, network_new, plan, running};
use crate::answer::{answer, nothing};
use crate::memory::sys::text;

/// Makes a network: hosts, and the links between them. It lives until it, its links, hosts and their sockets are closed.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_network_new() -> c_int {
    answer(network_new)
}

/// Makes a link of a network; whoever is on it can talk to whoever else is. 0 is an MTU of 1500 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_link_new(network: c_int, mtu_bytes: c_uint) -> c_int {
    answer(|| link_new(network, mtu_bytes))
}

/// Begins a host of a network. What follows chooses what it is to be, until ieum_host_start() makes it.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_new(network: c_int) -> c_int {
    answer(|| host_new(network))
}

/// Puts the host on a link, under an address with the length of its network's prefix: "10.1.0.1/24", "fd01::1/64".
///
/// # Safety
///
/// `address` is a string or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_host_address(host: c_int, link: c_int, address: *const c_char) -> c_int {
    // SAFETY: as above.
    nothing(|| host_address(host, link, unsafe { text(address) }?))
}

/// Reaches a network beyond the links, as "0.0.0.0/0", over the link of the neighbour with that address.
///
/// # Safety
///
/// Both are strings or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_host_route(
    host: c_int,
    network: *const c_char,
    gateway: *const c_char,
) -> c_int {
    nothing(|| {
        // SAFETY: as above.
        let (network, gateway) = unsafe { (text(network)?, text(gateway)?) };
        plan(host, |builder| builder.route(network, gateway))
    })
}

/// Reaches whatever is none of its own through the sockets of the machine.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_exit(host: c_int) -> c_int {
    nothing(|| plan(host, ieum::HostBuilder::exit))
}

/// Lets a port of the machine lead to one of the host's: "127.0.0.1:8080:80", "8053:53/udp".
///
/// # Safety
///
/// `ports` is a string or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_host_publish(host: c_int, ports: *const c_char) -> c_int {
    nothing(|| {
        // SAFETY: as above.
        let ports = unsafe { text(ports) }?;
        plan(host, |builder| builder.publish(ports))
    })
}

/// Refuses sockets beyond so many, with ENFILE.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_sockets_max(host: c_int, sockets: usize) -> c_int {
    nothing(|| plan(host, |builder| builder.sockets_max(sockets)))
}

/// Lets it have raw sockets; without it they are EPERM.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_raw_sockets(host: c_int) -> c_int {
    nothing(|| plan(host, ieum::HostBuilder::raw_sockets))
}

/// Keys all that is random or hashed by these 32 bytes. Without it nobody can guess it.
///
/// # Safety
///
/// `seed` leads to 32 bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_host_seed(host: c_int, seed: *const u8) -> c_int {
    nothing(|| {
        // SAFETY: as above.
        let seed = unsafe { crate::memory::sys::list(seed, 32) }?;
        let seed: [u8; 32] = seed.try_into().expect("a list of 32 has 32");
        plan(host, |builder| builder.seed(seed))
    })
}

/// Makes the host; only then it has sockets. EINVAL, with a sentence, for an address, network or port that is none or
/// that another host on the link has, and for a gateway that is no neighbour.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_start(host: c_int) -> c_int {
    nothing(|| host_start(host))
}

/// The process's own host, whose sockets ieum_socket() makes. Unless one was chosen before, it is made when it is first
/// asked for: with an exit, so that it reaches what the machine reaches.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_default() -> c_int {
    answer(host_default)
}

/// Makes it the process's own host from now on.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_make_default(host: c_int) -> c_int {
    nothing(|| {
        running(host)?.make_default();
        Ok(())
    })
}

/// Takes the host out of its network: its connections are reset, its sockets are closed (EBADF), and its addresses are
/// free for another host. Its number, and theirs, are to be closed as ever.
#[unsafe(no_mangle)]
pub extern "C" fn ieum_host_remove(host: c_int) -> c_int {
    nothing(|| {
        running(host)?.remove();
        Ok(())
    })
}
