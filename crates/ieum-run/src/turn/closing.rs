//! Sockets that programs close: told by the kernel, found by asking, or certain since nobody is left.

use ieum_engine::Turn;
use ieum_socket::Errno;
use ieum_wire::Instant;

use crate::runner::Runner;
use crate::socket::{Carrier, Socket};

impl Runner {
    /// The program closed it.
    pub(crate) fn forget(&mut self, now: Instant, number: u64) {
        if let Some(socket) = self.sockets.remove(number) {
            self.host.close(now, socket.host);
            self.end_held(number);
        }
    }

    /// The program closed it in the middle of something.
    pub(crate) fn abandon(&mut self, now: Instant, number: u64) {
        if let Some(socket) = self.sockets.remove(number) {
            self.host.abort(now, socket.host);
            self.end_held(number);
        }
    }

    /// Looks for sockets that were closed without a sign. True if one was.
    pub(crate) fn sweep(&mut self, turn: &Turn<'_>) -> bool {
        self.sweep_those(turn, |socket| !socket.tells_close())
    }

    /// The same of all sockets: the sign of some may be on its way, and what they hold is wanted now.
    pub(crate) fn sweep_all(&mut self, turn: &Turn<'_>) -> bool {
        self.sweep_those(turn, |_| true)
    }

    fn sweep_those(&mut self, turn: &Turn<'_>, is_meant: impl Fn(&Socket) -> bool) -> bool {
        let mut dead = Vec::new();
        for (number, socket) in self.sockets.iter().filter(|(_, socket)| is_meant(socket)) {
            if let Some(name) = &socket.name
                && !self.probe.is_alive(socket.unix_kind(), name)
            {
                dead.push(number);
            }
        }
        for number in &dead {
            self.close_for_certain(turn, *number);
        }
        !dead.is_empty()
    }

    /// Does somebody outside take a socket for served whose closing nobody would tell?
    pub(crate) fn serves(&self) -> bool {
        self.sockets.iter().any(|(_, socket)| match &socket.carrier {
            Carrier::Listening(_) => true,
            Carrier::Datagram(_) => {
                self.host.local_address(socket.host).is_ok_and(|address| address.port() != 0)
            }
            Carrier::Fresh
            | Carrier::Connecting(_)
            | Carrier::Stream(_)
            | Carrier::Spent
            | Carrier::Over(_) => false,
        })
    }

    /// No process is left: every socket is closed, and those with bytes to deliver deliver them.
    pub(crate) fn close_all(&mut self, turn: &Turn<'_>) {
        for number in self.sockets.numbers() {
            self.close_for_certain(turn, number);
        }
    }

    /// Nobody holds it any more.
    pub(crate) fn close_for_certain(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        match &mut socket.carrier {
            Carrier::Stream(stream) => {
                stream.assume_closed();
                self.pump(turn, number);
            }
            Carrier::Datagram(datagram) => {
                // What it sent before it was closed goes out; perhaps nobody has told of it yet.
                datagram.look_again();
                datagram.outward(turn.now, &mut self.host, socket.host);
                self.forget(turn.now, number);
            }
            Carrier::Fresh
            | Carrier::Connecting(_)
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(_) => self.forget(turn.now, number),
        }
    }

    /// P told something of a connection that is over.
    pub(super) fn forget_if_closed(&mut self, now: Instant, number: u64) {
        let is_accepted = self.sockets.get(number).is_some_and(|socket| socket.inode.is_some());
        if is_accepted && self.copy(number).err() == Some(Errno::EBADF) {
            self.forget(now, number);
        }
    }

    /// It is over, and nobody will tell when the program closes it. Those that were closed since are forgotten from time to time.
    pub(super) fn over(&mut self, now: Instant, number: u64) {
        if self.sockets.over(number) {
            let holders = self.holders();
            for closed in self.sockets.over_unheld(|inode| holders.contains_key(&inode)) {
                self.forget(now, closed);
            }
        }
    }
}
