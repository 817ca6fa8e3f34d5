//! Datagrams between sockets' carriers and the host, and what came of them.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use ieum_engine::Turn;
use ieum_socket::Protocol;
use ieum_wire::{Instant, Unreachable};

use crate::address;
use crate::carrier::datagram::Delivery;
use crate::runner::{EDGES, Runner, Source};
use crate::socket::Carrier;

impl Runner {
    /// Moves datagrams and serves who waits for them.
    pub(crate) fn datagram_turn(&mut self, turn: &Turn<'_>, number: u64) {
        self.move_datagrams(turn, number);
        self.retry_held(turn, number);
    }

    pub(crate) fn move_datagrams(&mut self, turn: &Turn<'_>, number: u64) {
        self.take_datagram_error(number);
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let (Carrier::Datagram(datagram), Some(name)) = (&mut socket.carrier, &socket.name) else { return };
        let id = socket.host;
        if datagram.outward(turn.now, &mut self.host, id) {
            self.more.insert(number);
        }
        match datagram.inward(turn.now, &mut self.host, id, name, &self.names, number) {
            Delivery::Idle => {}
            Delivery::More => drop(self.more.insert(number)),
            Delivery::Closed { source, destination } => {
                self.refuse_datagram(turn.now, number, source, destination);
            }
            Delivery::Blocked => {
                if !datagram.is_connected()
                    && let Some(monitor) = datagram.room_source()
                    && turn.rewatch(monitor, Source::Monitor(number).key(), EDGES).is_err()
                {
                    let _ = turn.watch(monitor, Source::Monitor(number).key(), EDGES);
                }
            }
        }
    }

    /// Is it a socket of UDP or UDP-Lite, whose addresses have ports?
    pub(crate) fn speaks_udp(&self, number: u64) -> bool {
        let make = self.sockets.get(number).and_then(|socket| self.host.make(socket.host));
        make.is_some_and(|make| matches!(make.protocol, Protocol::Udp | Protocol::UdpLite))
    }

    /// A datagram came for a socket that was closed without a sign: its sender hears what it would have heard at once.
    fn refuse_datagram(
        &mut self,
        now: Instant,
        number: u64,
        source: SocketAddr,
        destination: Option<SocketAddr>,
    ) {
        let is_udp = self.speaks_udp(number);
        self.forget(now, number);
        // Others than UDP have no ports that somebody could be missed at.
        if let Some(destination) = destination.filter(|_| is_udp) {
            self.host.stack_mut().udp_refuse(address::plain(source), destination, Unreachable::Port);
        }
    }

    /// An error would be told by the host's next call, which is ours and not the program's: it is kept for the program.
    pub(crate) fn take_datagram_error(&mut self, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        if self.host.error(socket.host).is_none() {
            return;
        }
        socket.error = self.host.take_error(socket.host);
        if !socket.shows_error {
            self.show_datagram_error(number);
        }
    }

    /// S shows that an error is pending, if it can.
    pub(crate) fn show_datagram_error(&mut self, number: u64) {
        let Ok(copy) = self.copy(number) else { return };
        let Some(socket) = self.sockets.get_mut(number) else { return };
        if let (Carrier::Datagram(datagram), Some(name)) = (&mut socket.carrier, &socket.name) {
            socket.shows_error = datagram.show_error(copy.as_fd(), name, &self.names, number);
        }
    }
}
