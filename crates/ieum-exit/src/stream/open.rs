//! How flows begin: from inside by a request, from outside by a published port.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ieum_engine::Serial;
use ieum_stack::{ConnectionId, HalfOpenId, Refusal, Request, State};
use rustix::io::Errno;

use super::pump::Joined;
use super::{Context, Stage, Streams, settings};
use crate::bounds::{HANDSHAKE_CHECK_INTERVAL, HANDSHAKES_MAX};
use crate::counts::Reason;
use crate::kernel::{self, Begun};
use crate::target::{Nowhere, Targets};

impl Streams {
    /// Somebody inside wants a connection: the kernel begins one.
    pub(crate) fn on_request(&mut self, cx: &mut Context<'_>, id: HalfOpenId, targets: &Targets) {
        let Some(Request { local, remote, .. }) = cx.stack.request(id) else { return };
        if let Err((reason, refusal)) = self.reach(cx, id, (local, remote), targets) {
            cx.counts.count(reason);
            cx.stack.tcp_refuse_request(id, refusal);
        }
    }

    fn reach(
        &mut self,
        cx: &mut Context<'_>,
        id: HalfOpenId,
        tuple: (SocketAddr, SocketAddr),
        targets: &Targets,
    ) -> Result<(), (Reason, Refusal)> {
        if self.handshakes.len() >= HANDSHAKES_MAX {
            self.drop_given_up(cx, false);
        }
        if self.is_full() || self.handshakes.len() >= HANDSHAKES_MAX {
            return Err((Reason::TooManyFlows, Refusal::Reset));
        }
        let target = targets.of(tuple.0).map_err(|nowhere| (Reason::NotAllowed, refusal_of(nowhere)))?;
        let begun = kernel::connect_stream(target).map_err(judge)?;
        let (socket, is_connected) = match begun {
            Begun::Connected(socket) => (socket, true),
            Begun::InProgress(socket) => (socket, false),
        };
        let serial = self
            .insert(cx, socket, tuple, Stage::Reaching(id))
            .map_err(|_| (Reason::NoDescriptor, Refusal::Reset))?;
        self.handshakes.insert(serial);
        self.check_at.get_or_insert(cx.turn.now + HANDSHAKE_CHECK_INTERVAL);
        if is_connected {
            self.answer(cx, serial, id);
        }
        Ok(())
    }

    /// Something happened to a kernel socket that connects.
    pub(super) fn reached(&mut self, cx: &mut Context<'_>, serial: Serial, id: HalfOpenId) {
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        match kernel::outcome(&flow.socket) {
            None => {}
            Some(Ok(())) => self.answer(cx, serial, id),
            Some(Err(error)) => {
                self.remove(serial);
                let (reason, refusal) = judge(error);
                cx.counts.count(reason);
                cx.stack.tcp_refuse_request(id, refusal);
            }
        }
    }

    /// Reaching → Answering: outside stands, so the inside gets its SYN-ACK.
    fn answer(&mut self, cx: &mut Context<'_>, serial: Serial, id: HalfOpenId) {
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        if cx.stack.request(id).is_none() {
            // The inside gave up meanwhile.
            cx.counts.count(Reason::GivenUp);
            self.reset(serial);
            return;
        }
        flow.stage = Stage::Answering(id);
        let tuple = flow.tuple;
        // An older flow of the same tuple was given up, or this request would not have come.
        if let Some(older) = self.answering.insert(tuple, serial) {
            self.reset(older);
            self.answering.insert(tuple, serial);
        }
        cx.stack.tcp_accept_request(id);
    }

    /// Answering → Joined: the connection's handshake has ended.
    pub(crate) fn on_accepted(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        tuple: (SocketAddr, SocketAddr),
    ) {
        match self.answering.remove(&tuple) {
            Some(serial) => {
                self.handshakes.remove(&serial);
                self.join(serial, connection);
            }
            None => cx.stack.tcp_abort(cx.turn.now, connection),
        }
    }

    /// A connection came from outside for `inside`, where somebody listens.
    pub(crate) fn enter(&mut self, cx: &mut Context<'_>, socket: OwnedFd, inside: SocketAddr) {
        kernel::prepare_stream(&socket);
        let Ok(connection) = cx.stack.tcp_connect(cx.turn.now, None, inside, settings()) else {
            cx.counts.count(Reason::PublishedRefused);
            return kernel::reset(socket);
        };
        match self.insert(cx, socket, (inside, inside), Stage::Entering(connection)) {
            Ok(serial) => {
                self.by_connection.insert(connection, serial);
            }
            Err(socket) => {
                kernel::reset(socket);
                cx.stack.tcp_abort(cx.turn.now, connection);
            }
        }
    }

    /// Entering → Joined once the inside has answered; a refusal inside is a RST outside.
    pub(super) fn entered(&mut self, cx: &mut Context<'_>, serial: Serial, connection: ConnectionId) {
        let status = cx.stack.tcp_status(connection);
        let failed = status.is_none_or(|status| status.failure.is_some() || status.state == State::Closed);
        if failed {
            cx.counts.count(Reason::PublishedRefused);
            self.reset(serial);
            cx.stack.tcp_close(cx.turn.now, connection);
        } else if status.is_some_and(|status| !matches!(status.state, State::SynSent | State::SynReceived)) {
            self.join(serial, connection);
        }
    }

    fn join(&mut self, serial: Serial, connection: ConnectionId) {
        if let Some(flow) = self.flows.get_mut(&serial) {
            flow.stage = Stage::Joined(Joined::new(connection));
            self.by_connection.insert(connection, serial);
            self.enqueue(serial);
        }
    }
}

/// What a failed connect counts as, and how it shows inside.
fn judge(error: Errno) -> (Reason, Refusal) {
    if kernel::is_shortage(error) {
        (Reason::NoDescriptor, Refusal::Reset)
    } else {
        (Reason::ConnectFailed, kernel::refusal(error))
    }
}

fn refusal_of(nowhere: Nowhere) -> Refusal {
    match nowhere {
        Nowhere::Closed => Refusal::Reset,
        Nowhere::Unreachable(reason) => Refusal::Unreachable(reason),
    }
}
