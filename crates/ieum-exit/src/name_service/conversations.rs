//! All askers over TCP.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use ieum_engine::{Ready, Serial, Serials};
use ieum_stack::ConnectionId;
use ieum_wire::Instant;
use slotmap::SecondaryMap;

use super::NameService;
use super::conversation::{Conversation, Turned};
use crate::bounds::{CONVERSATION_IDLE, CONVERSATIONS_MAX};
use crate::counts::Reason;
use crate::idle::Idle;
use crate::stream::Context;
use crate::target::Targets;

/// An asker, and when something last happened to it.
#[derive(Debug)]
struct Entry {
    conversation: Conversation,
    last_used: Instant,
    /// It stands in the queue.
    queued: bool,
}

/// All askers.
#[derive(Debug)]
pub(crate) struct Conversations {
    entries: HashMap<Serial, Entry>,
    by_connection: SecondaryMap<ConnectionId, Serial>,
    serials: Serials,
    idle: Idle<Serial>,
    /// Askers to be looked at, each once.
    queue: VecDeque<Serial>,
}

impl Conversations {
    /// Nobody asks yet.
    pub(crate) fn new() -> Conversations {
        Conversations {
            entries: HashMap::new(),
            by_connection: SecondaryMap::new(),
            serials: Serials::default(),
            idle: Idle::new(CONVERSATION_IDLE),
            queue: VecDeque::new(),
        }
    }

    /// A connection to where questions are asked was accepted. The one silent for longest goes when there are too many.
    pub(crate) fn begin(&mut self, cx: &mut Context<'_>, connection: ConnectionId, destination: SocketAddr) {
        if self.entries.len() >= CONVERSATIONS_MAX
            && let Some(oldest) = self.idle.oldest()
        {
            cx.counts.count(Reason::TooManyFlows);
            self.end(oldest).into_iter().for_each(|id| cx.stack.tcp_abort(cx.turn.now, id));
        }
        let serial = self.serials.next();
        let conversation = Conversation::new(connection, destination, serial);
        self.by_connection.insert(connection, serial);
        self.idle.insert(cx.turn.now, serial);
        self.entries.insert(serial, Entry { conversation, last_used: cx.turn.now, queued: false });
        self.enqueue(serial);
    }

    /// Something happened to our end.
    pub(crate) fn on_connection(&mut self, id: ConnectionId) {
        if let Some(serial) = self.by_connection.get(id) {
            self.enqueue(*serial);
        }
    }

    /// A server's socket is ready.
    pub(crate) fn on_ready(&mut self, serial: Serial, ready: Ready) {
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.conversation.on_ready(ready);
            self.enqueue(serial);
        }
    }

    /// Looks at each asker in the queue once.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>, names: &NameService, targets: &Targets) {
        for _ in 0..self.queue.len() {
            let Some(serial) = self.queue.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&serial) else { continue };
            entry.queued = false;
            self.idle.touch(cx.turn.now, serial, &mut entry.last_used);
            if entry.conversation.turn(cx, names, targets) == Turned::Over {
                self.end(serial).into_iter().for_each(|id| cx.stack.tcp_close(cx.turn.now, id));
            }
        }
    }

    /// When the next asker has been silent for too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// Silent askers are hung up on.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        while let Some(serial) = self.idle.due(cx.turn.now) {
            self.end(serial).into_iter().for_each(|id| cx.stack.tcp_close(cx.turn.now, id));
        }
    }

    fn enqueue(&mut self, serial: Serial) {
        if let Some(entry) = self.entries.get_mut(&serial)
            && !entry.queued
        {
            entry.queued = true;
            self.queue.push_back(serial);
        }
    }

    /// Forgets an asker; its connection is what is left of it.
    fn end(&mut self, serial: Serial) -> Option<ConnectionId> {
        let entry = self.entries.remove(&serial)?;
        self.idle.remove(serial, entry.last_used);
        self.by_connection.remove(entry.conversation.connection);
        Some(entry.conversation.connection)
    }
}
