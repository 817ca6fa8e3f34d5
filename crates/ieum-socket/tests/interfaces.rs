//! What ioctl(2) is told of a host's interfaces.
#![allow(clippy::unwrap_used, reason = "in tests, what must not fail may panic")]

mod common;

use common::World;
use ieum_socket::{Errno, Host, INTERFACE_REQUEST_BYTES, is_about_interfaces};

const SIOCGIFNAME: u32 = 0x8910;
const SIOCGIFFLAGS: u32 = 0x8913;
const SIOCSIFFLAGS: u32 = 0x8914;
const SIOCGIFADDR: u32 = 0x8915;
const SIOCSIFADDR: u32 = 0x8916;
const SIOCGIFINDEX: u32 = 0x8933;

type Request = [u8; INTERFACE_REQUEST_BYTES];

/// A `struct ifreq` for the interface of that name.
fn about(name: &str) -> Request {
    let mut asked = [0; INTERFACE_REQUEST_BYTES];
    asked[..name.len()].copy_from_slice(name.as_bytes());
    asked
}

/// What it says after the question; `on_ip4`: on a socket of IPv4.
fn ask(host: &Host, request: u32, on_ip4: bool, mut asked: Request) -> Result<Request, Errno> {
    host.ask_interface(request, on_ip4, &mut asked).map(|()| asked)
}

#[test]
fn an_interface_is_asked_for_by_its_name_and_its_number_has_one() {
    let host = World::new().a;
    let told = ask(&host, SIOCGIFINDEX, true, about("eth0")).unwrap();
    assert_eq!(told[16..20], 2_u32.to_ne_bytes());
    let mut second = about("");
    second[16..20].copy_from_slice(&2_u32.to_ne_bytes());
    assert_eq!(ask(&host, SIOCGIFNAME, true, second).unwrap()[..5], *b"eth0\0");
    second[16..20].copy_from_slice(&3_u32.to_ne_bytes());
    assert_eq!(ask(&host, SIOCGIFNAME, true, second), Err(Errno::ENODEV));
    assert_eq!(ask(&host, SIOCGIFINDEX, true, about("eth1")), Err(Errno::ENODEV));
}

#[test]
fn addresses_are_told_on_sockets_of_ip4_alone() {
    let host = World::new().a;
    let told = ask(&host, SIOCGIFADDR, true, about("eth0:1")).unwrap();
    assert_eq!(told[20..24], [10, 0, 0, 1]);
    assert_eq!(ask(&host, SIOCGIFADDR, false, about("eth0")), Err(Errno::ENOTTY));
}

#[test]
fn nothing_is_changed_but_flags_may_be_asked_to_be_as_they_are() {
    let host = World::new().a;
    let up = ask(&host, SIOCGIFFLAGS, false, about("lo")).unwrap();
    assert_eq!(ask(&host, SIOCSIFFLAGS, false, up), Ok(up));
    assert_eq!(ask(&host, SIOCSIFFLAGS, false, about("lo")), Err(Errno::EPERM));
    assert_eq!(ask(&host, SIOCSIFADDR, true, about("lo")), Err(Errno::EPERM));
}

#[test]
fn a_list_has_whole_entries_and_no_more_than_there_is_room_for() {
    let host = World::new().a;
    let all = host.interface_list(None);
    assert_eq!(all.len(), 2 * INTERFACE_REQUEST_BYTES);
    assert_eq!((&all[..3], &all[40..45]), (&b"lo\0"[..], &b"eth0\0"[..]));
    assert_eq!((&all[20..24], &all[60..64]), (&[127, 0, 0, 1][..], &[10, 0, 0, 1][..]));
    assert_eq!(host.interface_list(Some(79)), all[..40]);
    assert_eq!(host.interface_list(Some(-1)), []);
}

#[test]
fn lengths_of_queues_are_no_matter_of_interfaces() {
    assert!(is_about_interfaces(SIOCGIFNAME));
    assert!(!is_about_interfaces(0x894b), "SIOCOUTQNSD");
    assert!(!is_about_interfaces(0x541b), "FIONREAD");
}
