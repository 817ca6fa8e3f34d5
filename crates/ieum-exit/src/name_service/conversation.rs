//! One asker over TCP (RFC 1035 §4.2.2, RFC 7766): messages, each behind its length.
//!
//! What we know is answered; all else goes over a connection of the kernel's to the first server that takes one, which is
//! made when there is something to ask, and made again when it has ended. Answers go inside whole, in the order in which
//! they are there.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Ready, Serial};
use ieum_stack::ConnectionId;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::{NameService, Verdict, Waiting};
use crate::bounds::CONVERSATION_BYTES_MAX;
use crate::kernel::{self, Begun};
use crate::key::Source;
use crate::stream::Context;
use crate::target::Targets;

/// Bytes read from a server at once: most answers are smaller.
const READ_BYTES: usize = 16 * 1024;

/// An asker.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The inside's connection, ours.
    pub(super) connection: ConnectionId,
    /// Whom it wanted to ask.
    destination: SocketAddr,
    serial: Serial,
    /// What came from inside and is no whole message yet.
    from_inside: Vec<u8>,
    /// Answers on their way inside.
    to_inside: Vec<u8>,
    /// Questions that others are to answer.
    waiting: Waiting,
    server: Option<Server>,
    /// Something was asked that can neither be passed on nor answered.
    is_hopeless: bool,
}

/// A connection to whom else is asked.
#[derive(Debug)]
struct Server {
    socket: OwnedFd,
    is_connected: bool,
    readable: bool,
    writable: bool,
    /// Questions on their way to it.
    to: Vec<u8>,
    /// What came from it and is no whole message yet.
    from: Vec<u8>,
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turned {
    /// Wait for an event.
    Stays,
    /// The asker has gone, or has everything it asked for and will not ask more.
    Over,
}

impl Conversation {
    /// A connection to `destination` was accepted.
    pub(super) fn new(connection: ConnectionId, destination: SocketAddr, serial: Serial) -> Conversation {
        Conversation {
            connection,
            destination,
            serial,
            from_inside: Vec::new(),
            to_inside: Vec::new(),
            waiting: Waiting::new([]),
            server: None,
            is_hopeless: false,
        }
    }

    /// The server's socket is ready.
    pub(super) fn on_ready(&mut self, ready: Ready) {
        if let Some(server) = &mut self.server {
            server.readable |= ready.read || ready.read_hangup || ready.hangup || ready.error;
            server.writable |= ready.write || ready.hangup || ready.error;
        }
    }

    /// Moves what can be moved, until both sides wait.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>, names: &NameService, targets: &Targets) -> Turned {
        let mut moves = true;
        while moves {
            moves = self.hear(cx, names, targets);
            self.ask(cx);
            moves |= self.take_answers(cx);
            self.tell(cx);
        }
        let Some(status) = cx.stack.tcp_status(self.connection) else { return Turned::Over };
        let asks_no_more = status.peer_finished && status.readable_bytes == 0;
        let is_answered = self.to_inside.is_empty() && self.waiting.is_empty();
        let is_over = is_answered && (asks_no_more || self.is_hopeless);
        if status.failure.is_some() || is_over { Turned::Over } else { Turned::Stays }
    }

    /// Questions come. True if there may be more of them.
    fn hear(&mut self, cx: &mut Context<'_>, names: &NameService, targets: &Targets) -> bool {
        let mut bytes = [0; READ_BYTES];
        let mut moved = false;
        while !self.has_its_share() {
            if let Some(message) = take_message(&mut self.from_inside) {
                match names.judge(&message) {
                    Verdict::Answered(answer) => push_message(&mut self.to_inside, &answer),
                    Verdict::Pass => self.pass(cx, &message, names, targets),
                }
            } else {
                let count = cx.stack.tcp_recv(cx.turn.now, self.connection, &mut bytes, false);
                if count == 0 {
                    break;
                }
                self.from_inside.extend(&bytes[..count]);
            }
            moved = true;
        }
        moved
    }

    /// It must take answers before it may ask more.
    fn has_its_share(&self) -> bool {
        let behind = self.server.as_ref().map_or(0, |server| server.to.len());
        self.waiting.is_full() || self.to_inside.len().max(behind) >= CONVERSATION_BYTES_MAX
    }

    /// A question for others.
    fn pass(&mut self, cx: &mut Context<'_>, message: &[u8], names: &NameService, targets: &Targets) {
        if !self.waiting.asked(message) {
            self.is_hopeless = true;
            return;
        }
        match &mut self.server {
            Some(server) => push_message(&mut server.to, message),
            None => {
                self.waiting.renew(names.servers(self.destination, targets));
                self.turn_to_next(cx);
            }
        }
    }

    /// The next server that can be connected to gets all questions that wait; where there is none they have failed.
    fn turn_to_next(&mut self, cx: &Context<'_>) {
        self.server = None;
        while let Some(address) = self.waiting.next_server() {
            if let Some(mut server) = self.connect(cx, address) {
                self.waiting.questions().for_each(|question| push_message(&mut server.to, question));
                self.server = Some(server);
                return;
            }
        }
        let asked = self.waiting.questions().count();
        let failures = self.waiting.failures();
        // What is no question has no answer that says so.
        self.is_hopeless |= failures.len() < asked;
        failures.iter().for_each(|failure| push_message(&mut self.to_inside, failure));
    }

    fn connect(&self, cx: &Context<'_>, address: SocketAddr) -> Option<Server> {
        let (socket, is_connected) = match kernel::connect_stream(address).ok()? {
            Begun::Connected(socket) => (socket, true),
            Begun::InProgress(socket) => (socket, false),
        };
        cx.turn.watch(socket.as_fd(), Source::Asker(self.serial).key(), kernel::BOTH).ok()?;
        let (to, from) = (Vec::new(), Vec::new());
        Some(Server { socket, is_connected, readable: false, writable: is_connected, to, from })
    }

    /// Questions go to the server.
    fn ask(&mut self, cx: &Context<'_>) {
        while let Some(server) = &mut self.server {
            match server.send() {
                Ok(()) => return,
                Err(_) => self.turn_to_next(cx),
            }
        }
    }

    /// Answers come from the server. True if there may be more of them, or room for more questions.
    fn take_answers(&mut self, cx: &Context<'_>) -> bool {
        let mut moved = false;
        while let Some(server) = &mut self.server
            && self.to_inside.len() < CONVERSATION_BYTES_MAX
        {
            let received = server.receive();
            while let Some(answer) = take_message(&mut server.from) {
                self.waiting.answered(&answer);
                push_message(&mut self.to_inside, &answer);
            }
            match received {
                Ok(0) => break,
                Ok(_) => {}
                // It has ended. Where it owes nothing that is its right, and it is connected to again when there is more.
                Err(_) if self.waiting.is_empty() => self.server = None,
                Err(_) => self.turn_to_next(cx),
            }
            moved = true;
        }
        moved
    }

    /// Answers go inside, as far as there is room.
    fn tell(&mut self, cx: &mut Context<'_>) {
        let count = cx.stack.tcp_send(cx.turn.now, self.connection, &self.to_inside);
        self.to_inside.drain(..count);
    }
}

impl Server {
    /// Sends what it takes.
    fn send(&mut self) -> Result<(), Errno> {
        if !self.is_connected && (self.writable || self.readable) {
            match kernel::outcome(&self.socket) {
                None => self.writable = false,
                Some(outcome) => {
                    outcome?;
                    self.is_connected = true;
                }
            }
        }
        while self.is_connected && self.writable && !self.to.is_empty() {
            match send(&self.socket, &self.to, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => drop(self.to.drain(..count)),
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives a share of what came; 0 where there is nothing. Its end is an error.
    fn receive(&mut self) -> Result<usize, Errno> {
        if !self.is_connected || !self.readable {
            return Ok(0);
        }
        let mut bytes = [0; READ_BYTES];
        match recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => Err(Errno::CONNRESET),
            Ok((count, _)) => {
                self.from.extend(&bytes[..count]);
                Ok(count)
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                self.readable = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Takes the first message out, if all of it is there.
fn take_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = 2 + usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    let message = bytes.get(2..end)?.to_vec();
    bytes.drain(..end);
    Some(message)
}

/// Appends a message; what is too long for its length is none, and no message of DNS is.
fn push_message(bytes: &mut Vec<u8>, message: &[u8]) {
    if let Ok(length) = u16::try_from(message.len()) {
        bytes.extend(length.to_be_bytes());
        bytes.extend(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_out_when_they_are_whole() {
        let mut bytes = Vec::new();
        push_message(&mut bytes, b"one");
        push_message(&mut bytes, b"");
        push_message(&mut bytes, b"three");
        let rest = bytes.split_off(bytes.len() - 1);
        assert_eq!(take_message(&mut bytes), Some(b"one".to_vec()));
        assert_eq!(take_message(&mut bytes), Some(Vec::new()));
        assert_eq!(take_message(&mut bytes), None);
        bytes.extend(rest);
        assert_eq!(take_message(&mut bytes), Some(b"three".to_vec()));
        assert_eq!((take_message(&mut bytes), bytes.len()), (None, 0));
    }
}
