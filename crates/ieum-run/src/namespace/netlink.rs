//! What is said to the kernel about the namespace: requests of NETLINK_ROUTE, and news of it (rtnetlink(7)).

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType};

/// The group of NETLINK_ROUTE that hears of routes of IPv6 (RTMGRP_IPV6_ROUTE, rtnetlink(7)).
const GROUP_ROUTES6: u32 = 0x400;

/// Bytes of an answer or a piece of news that are looked at.
const NEWS_BYTES: usize = 4096;

/// Bytes of an acknowledgement that are looked at: its header and the error's number.
const ACKNOWLEDGEMENT_BYTES: usize = 64;

/// That of an address, as netlink calls it.
pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A socket that speaks to the kernel about the namespace.
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub(super) fn open() -> Result<Netlink, String> {
        // Protocol 0 of this family is NETLINK_ROUTE.
        let family = rustix::net::AddressFamily::NETLINK;
        rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .map(|socket| Netlink { socket })
            .map_err(|error| format!("netlink is not to be had: {error}"))
    }

    /// From now on this socket hears of routes of IPv6.
    pub(super) fn hear_of_routes6(&self) -> Result<(), String> {
        rustix::net::bind(&self.socket, &SocketAddrNetlink::new(0, GROUP_ROUTES6))
            .map_err(|error| format!("news of routes are not to be had: {error}"))
    }

    /// Waits for the next piece of news, whatever it says; false: there was none in that time.
    pub(super) fn hear_within(&self, patience: Duration) -> Result<bool, String> {
        let failed = |error: Errno| format!("news of routes are not to be had: {error}");
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        let patience =
            Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() };
        if poll(&mut fds, Some(&patience)).map_err(failed)? == 0 {
            return Ok(false);
        }
        let mut scratch = [0; NEWS_BYTES];
        rustix::net::recv(&self.socket, &mut scratch, RecvFlags::TRUNC).map_err(failed)?;
        Ok(true)
    }

    /// Does an address lead to the namespace itself?
    pub(super) fn is_own(&self, address: IpAddr) -> Result<bool, String> {
        Ok(self.kind_of_route(address, None)? == Some(RouteType::Local))
    }

    /// Does a group's address lead out over that interface?
    pub(super) fn reaches_groups(&self, group: IpAddr, index: u32) -> Result<bool, String> {
        Ok(self.kind_of_route(group, Some(index))? == Some(RouteType::Multicast))
    }

    fn kind_of_route(&self, address: IpAddr, over: Option<u32>) -> Result<Option<RouteType>, String> {
        let failed = |error: Errno| format!("a namespace does not tell where {address} leads: {error}");
        let mut message = RouteMessage::default();
        message.header.address_family = family(address);
        message.header.destination_prefix_length = if address.is_ipv6() { 128 } else { 32 };
        message.attributes.push(RouteAttribute::Destination(address.into()));
        message.attributes.extend(over.map(RouteAttribute::Oif));
        self.send(RouteNetlinkMessage::GetRoute(message), NLM_F_REQUEST).map_err(failed)?;
        let mut answer = [0; NEWS_BYTES];
        let (count, _) = rustix::net::recv(&self.socket, &mut answer, RecvFlags::empty()).map_err(failed)?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..count])
            .map_err(|_| failed(Errno::PROTO))?;
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) = answer.payload else {
            return Ok(None);
        };
        Ok(Some(route.header.kind))
    }

    /// Sends a request and hears its acknowledgement, which the kernel gives before the sending returns.
    pub(super) fn ask(&self, what: &str, message: RouteNetlinkMessage, flags: u16) -> Result<(), String> {
        let failed = |error: Errno| format!("{what} cannot be made in a namespace: {error}");
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags).map_err(failed)?;
        let mut answer = [0; ACKNOWLEDGEMENT_BYTES];
        let (count, _) = rustix::net::recv(&self.socket, &mut answer, RecvFlags::empty()).map_err(failed)?;
        // struct nlmsghdr is 16 bytes, and an error's number follows.
        let number = answer.get(..count).and_then(|answer| answer.get(16..20)?.try_into().ok());
        match number.map(i32::from_ne_bytes) {
            Some(0) => Ok(()),
            Some(number) => Err(failed(Errno::from_raw_os_error(number.saturating_neg()))),
            None => Err(failed(Errno::PROTO)),
        }
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Errno> {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, &bytes, SendFlags::empty(), &kernel).map(|_| ())
    }
}
