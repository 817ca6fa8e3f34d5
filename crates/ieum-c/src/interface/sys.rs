//! The doors to a host's interfaces.
//!
//! What is relied on: what [`crate::memory`] says of pointers; and that a list which is given back is one that was
//! given out here, unchanged, and only once. `SAFETY: as above` means that.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::io;
use std::ptr;

use ieum::Host;
use libc::{if_nameindex, ifaddrs, sockaddr};

use super::{Entry, entries, index_of, interfaces, name_of};
use crate::answer::{answer, error, nothing};
use crate::host::running;
use crate::memory::sys::{fill, text};

/// if_nametoindex(3), of the process's own host: 0 where there is no such interface.
///
/// # Safety
///
/// `name` is a string or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_if_nametoindex(name: *const c_char) -> c_uint {
    // SAFETY: as above.
    let index: i64 = answer(|| index_of(&Host::of_process()?, unsafe { text(name) }?).map(i64::from));
    c_uint::try_from(index).unwrap_or(0)
}

/// if_indextoname(3), of the process's own host: NULL where there is no such interface.
///
/// # Safety
///
/// `name` leads to 16 bytes (IF_NAMESIZE) or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_if_indextoname(index: c_uint, name: *mut c_char) -> *mut c_char {
    let done = nothing(|| {
        let found = format!("{}\0", name_of(&Host::of_process()?, index)?);
        // SAFETY: as above. No name here is longer than its room: `eth` and a number of links.
        unsafe { fill(name.cast(), found.as_bytes()) }
    });
    if done == 0 { name } else { ptr::null_mut() }
}

/// if_nameindex(3), of the process's own host; to be given back by ieum_if_freenameindex().
#[unsafe(no_mangle)]
pub extern "C" fn ieum_if_nameindex() -> *mut if_nameindex {
    let mut list = ptr::null_mut();
    nothing(|| {
        let all = interfaces(&Host::of_process()?).into_iter();
        let entries: io::Result<Vec<if_nameindex>> = all
            .map(|one| {
                let name = CString::new(one.name).map_err(|_| error(libc::EINVAL))?;
                Ok(if_nameindex { if_index: one.index, if_name: name.into_raw() })
            })
            .chain([Ok(if_nameindex { if_index: 0, if_name: ptr::null_mut() })])
            .collect();
        list = Box::into_raw(entries?.into_boxed_slice()).cast();
        Ok(())
    });
    list
}

/// if_freenameindex(3).
///
/// # Safety
///
/// `list` is what ieum_if_nameindex() gave, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_if_freenameindex(list: *mut if_nameindex) {
    if list.is_null() {
        return;
    }
    let mut count = 0;
    // SAFETY: as above: it ends with the number 0, and each name was a CString.
    unsafe {
        while (*list.add(count)).if_index != 0 {
            drop(CString::from_raw((*list.add(count)).if_name));
            count += 1;
        }
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(list, count + 1)));
    }
}

/// getifaddrs(3), of the process's own host; to be given back by ieum_freeifaddrs(). `ifa_data` is NULL.
///
/// # Safety
///
/// `list` leads to a pointer or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_getifaddrs(list: *mut *mut ifaddrs) -> c_int {
    // SAFETY: as above.
    nothing(|| unsafe { give_out(&Host::of_process()?, list) })
}

/// The same of a host that was started.
///
/// # Safety
///
/// `list` leads to a pointer or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_host_getifaddrs(host: c_int, list: *mut *mut ifaddrs) -> c_int {
    // SAFETY: as above.
    nothing(|| unsafe { give_out(&running(host)?, list) })
}

/// freeifaddrs(3).
///
/// # Safety
///
/// `list` is what ieum_getifaddrs() or ieum_host_getifaddrs() gave, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ieum_freeifaddrs(list: *mut ifaddrs) {
    let mut next = list;
    while !next.is_null() {
        // SAFETY: as above: each entry was a box of a whole one, of which the caller's is the beginning.
        let entry = unsafe { Box::from_raw(next.cast::<Given>()) };
        next = entry.head.ifa_next;
    }
}

/// The longest address, in bytes: a `struct sockaddr_in6`.
const ADDRESS_BYTES_MAX: usize = 28;
/// IF_NAMESIZE.
const NAME_BYTES: usize = 16;

/// Room for an address, which stands where every `struct sockaddr` may stand.
#[repr(C, align(8))]
struct Room([u8; ADDRESS_BYTES_MAX]);

/// An entry as C has it, and what it points to.
#[repr(C)]
struct Given {
    head: ifaddrs,
    name: [u8; NAME_BYTES],
    address: Room,
    mask: Room,
    broadcast: Room,
}

/// Makes the list, its last entry first.
///
/// # Safety
///
/// As above.
unsafe fn give_out(host: &Host, list: *mut *mut ifaddrs) -> io::Result<()> {
    if list.is_null() {
        return Err(error(libc::EFAULT));
    }
    let first = entries(host).iter().rev().fold(ptr::null_mut(), |next, entry| given(entry, next));
    // SAFETY: as above.
    unsafe { list.write_unaligned(first) };
    Ok(())
}

fn given(entry: &Entry, next: *mut ifaddrs) -> *mut ifaddrs {
    let mut name = [0; NAME_BYTES];
    // The last byte stays 0.
    name.iter_mut().zip(entry.name.bytes().take(NAME_BYTES - 1)).for_each(|(place, byte)| *place = byte);
    let head = ifaddrs {
        ifa_next: next,
        ifa_name: ptr::null_mut(),
        ifa_flags: entry.flags,
        ifa_addr: ptr::null_mut(),
        ifa_netmask: ptr::null_mut(),
        ifa_ifu: ptr::null_mut(),
        ifa_data: ptr::null_mut::<c_void>(),
    };
    let (address, mask) = (room(Some(&entry.address)), room(entry.mask.as_ref()));
    let broadcast = room(entry.broadcast.as_ref());
    let at = Box::into_raw(Box::new(Given { head, name, address, mask, broadcast }));
    // SAFETY: it is ours, and stays where it is until it is given back.
    unsafe {
        (*at).head.ifa_name = (&raw mut (*at).name).cast();
        (*at).head.ifa_addr = (&raw mut (*at).address).cast::<sockaddr>();
        if entry.mask.is_some() {
            (*at).head.ifa_netmask = (&raw mut (*at).mask).cast::<sockaddr>();
        }
        if entry.broadcast.is_some() {
            (*at).head.ifa_ifu = (&raw mut (*at).broadcast).cast::<sockaddr>();
        }
    }
    at.cast()
}

fn room(address: Option<&Vec<u8>>) -> Room {
    let mut bytes = [0; ADDRESS_BYTES_MAX];
    let from = address.map_or(&[][..], Vec::as_slice);
    bytes.iter_mut().zip(from).for_each(|(place, byte)| *place = *byte);
    Room(bytes)
}
