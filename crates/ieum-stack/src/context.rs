//! What a transport may use while it handles one event: the time, and the parts of the stack below and beside it.

use std::net::{IpAddr, SocketAddr};

use ieum_wire::Unreachable;
use ieum_wire::{Instant, Protocol};

use crate::chance::Chance;
use crate::drops::Drops;
use crate::event::Events;
use crate::ip::{self, Ip};
use crate::link::LinkId;
use crate::port::Ports;

/// Lent to a transport for the length of one call.
pub(crate) struct Context<'a> {
    /// The time of the event.
    pub(crate) now: Instant,
    /// Addresses, routes and the writer of IP headers.
    pub(crate) ip: &'a mut Ip,
    /// Who holds which port.
    pub(crate) ports: &'a mut Ports,
    /// Takes what the user is to be told.
    pub(crate) events: &'a mut Events,
    /// Counts what is dropped.
    pub(crate) drops: &'a mut Drops,
    /// The seeded generator.
    pub(crate) chance: &'a mut Chance,
}

impl Context<'_> {
    /// The way to `destination` and the address to leave with (RFC 1122 §3.3.4.3): `source` when it was chosen
    /// before, else what the route says.
    ///
    /// Own destinations lead over the loopback link; a loopback exception leads over its link unless somebody here
    /// is bound to it. `link`: whoever asks keeps to that one ([`Ip::path_by`]).
    pub(crate) fn path(
        &self,
        protocol: Protocol,
        link: Option<LinkId>,
        source: Option<IpAddr>,
        destination: SocketAddr,
    ) -> Result<ip::Path, Unreachable> {
        let path = match (link, self.ip.loopback_exception(destination)) {
            (None, Some(link)) if !self.ports.is_bound(protocol, destination) => {
                self.ip.path_over(link, source, destination.ip())
            }
            (_, _) => self.ip.path_by(link, source, destination.ip()),
        }?;
        let known = self.ip.path_mtus.of(self.now, destination.ip());
        Ok(ip::Path { mtu_bytes: known.map_or(path.mtu_bytes, |known| known.min(path.mtu_bytes)), ..path })
    }
}
