//! Positions in what is sent that the user wants to hear of: when they leave, and when they have arrived.
//!
//! A mark stands behind a byte. It is passed twice: when the packet with that byte goes out for the first time, and when
//! the byte is acknowledged. Both are kept, with their time, until the user takes them; a connection without marks pays for
//! none of it. Of a connection that is over nothing is kept: all that it still had under way is the user's to judge.

use std::collections::VecDeque;

use ieum_wire::{Instant, SeqNumber};

use super::connection::Connection;
use super::open::Open;
use super::send::Piece;
use super::{ConnectionId, Tcp};

/// What became of a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// The user's name for it.
    pub token: u32,
    /// How far it has come.
    pub by: Passing,
    /// When.
    pub at: Instant,
}

/// How far what stands before a mark has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    /// It was sent.
    Sent,
    /// The peer has acknowledged it.
    Acknowledged,
}

/// Where in the stream of sequence numbers a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamPosition {
    /// The first byte that was not acknowledged.
    pub acknowledged: SeqNumber,
    /// Behind the last byte written.
    pub written: SeqNumber,
}

/// A mark that was not passed for the last time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    token: u32,
    /// Behind the byte.
    end: SeqNumber,
    sent: bool,
}

/// The marks of a connection, in their order, and what became of them.
#[derive(Default)]
pub(super) struct Marks {
    waiting: VecDeque<Mark>,
    passed: Vec<Passed>,
}

impl Marks {
    /// Up to `end` has been sent.
    fn sent(&mut self, at: Instant, end: SeqNumber) {
        for mark in self.waiting.iter_mut().filter(|mark| !mark.sent && mark.end.at_or_before(end)) {
            mark.sent = true;
            self.passed.push(Passed { token: mark.token, by: Passing::Sent, at });
        }
    }

    /// Up to `una` has been acknowledged.
    fn acknowledged(&mut self, at: Instant, una: SeqNumber) {
        while let Some(mark) = self.waiting.front().copied().filter(|mark| mark.end.at_or_before(una)) {
            self.waiting.pop_front();
            if !mark.sent {
                self.passed.push(Passed { token: mark.token, by: Passing::Sent, at });
            }
            self.passed.push(Passed { token: mark.token, by: Passing::Acknowledged, at });
        }
    }
}

impl Open {
    /// A piece goes out.
    pub(super) fn marks_sent(&mut self, now: Instant, piece: &Piece) {
        if let Some(marks) = &mut self.marks {
            let count = u32::try_from(piece.count).expect("a packet has less than 2³² bytes");
            marks.sent(now, piece.seq + count);
        }
    }

    /// Something may have been acknowledged. True when there is news of marks, of this or of what was sent.
    pub(super) fn has_passed_marks(&mut self, now: Instant) -> bool {
        let una = self.send.una();
        self.marks.as_mut().is_some_and(|marks| {
            marks.acknowledged(now, una);
            !marks.passed.is_empty()
        })
    }
}

impl Tcp {
    /// Sets a mark behind the last byte written. False where there is no open connection (yet).
    pub(crate) fn mark(&mut self, now: Instant, id: ConnectionId, token: u32) -> bool {
        let Some(open) = self.connections.get_mut(id).and_then(Connection::open_mut) else { return false };
        let (end, nxt) = (open.send.data_end(), open.send.nxt());
        let marks = open.marks.get_or_insert_default();
        marks.waiting.push_back(Mark { token, end, sent: false });
        if end.at_or_before(nxt) {
            marks.sent(now, nxt);
        }
        open.has_passed_marks(now);
        true
    }

    /// What became of marks since this was asked last.
    pub(crate) fn take_passed(&mut self, id: ConnectionId) -> Vec<Passed> {
        let open = self.connections.get_mut(id).and_then(Connection::open_mut);
        let Some(open) = open else { return Vec::new() };
        let passed = open.marks.as_mut().map(|marks| std::mem::take(&mut marks.passed)).unwrap_or_default();
        if open.marks.as_ref().is_some_and(|marks| marks.waiting.is_empty()) {
            open.marks = None;
        }
        passed
    }

    /// Where an open connection stands.
    pub(crate) fn stream_position(&self, id: ConnectionId) -> Option<StreamPosition> {
        let send = &self.connections.get(id)?.open()?.send;
        Some(StreamPosition { acknowledged: send.una(), written: send.data_end() })
    }
}
