//! Where writes ended, as far as it shows on the wire: ends of records, and which segments carry PSH.
//!
//! RFC 9293 §3.9.1.2 leaves PSH to the sender: it tells the receiver that no more is to come soon. Linux's rule, which peers
//! have learned to live with: the packet in which a write ends has it, every packet that brings what was written since
//! the last one above half of the peer's window, and every packet of more than one segment, so that
//! whoever joins segments on the way hands them on. What is sent again goes in the packets of the first time.

use std::collections::VecDeque;

use ieum_wire::SeqNumber;

/// How a write ends (send(2): MSG_MORE, MSG_EOR).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WriteEnd {
    /// Nothing is said of what follows.
    #[default]
    Push,
    /// More will follow at once: a rest smaller than a segment waits for it.
    More,
    /// A record ends: what follows goes into segments of its own.
    Record,
}

/// What is remembered of writes.
pub(super) struct Writes {
    /// Ends of records that were not acknowledged.
    records: VecDeque<SeqNumber>,
    /// Ends of packets in flight that had more than one segment, or ended a write.
    packets: VecDeque<Packet>,
    /// Where the last packet begins of what was never sent.
    pub(super) tail: SeqNumber,
    /// Ends of packets that were never sent and will have PSH, save the last.
    pushes: VecDeque<SeqNumber>,
    /// The position behind the last byte that goes with PSH.
    pushed: SeqNumber,
    /// The last byte queued ends a write.
    ends: bool,
    /// It was said that more will follow, and nothing was heard of the peer since.
    pub(super) more: bool,
    /// Whatever waits for company is to go, small or not, until more is written.
    pub(super) flushed: bool,
}

/// Where a packet ended, and whether a write did.
#[derive(Clone, Copy, Debug)]
struct Packet {
    end: SeqNumber,
    ends_write: bool,
}

impl Writes {
    pub(super) fn new(first: SeqNumber) -> Writes {
        Writes {
            records: VecDeque::new(),
            packets: VecDeque::new(),
            tail: first,
            pushes: VecDeque::new(),
            pushed: first,
            ends: false,
            more: false,
            flushed: false,
        }
    }

    /// Packets in flight that had more than one segment, or ended a write.
    pub(super) fn packets(&self) -> usize {
        self.packets.len()
    }

    /// The position behind the last byte that goes with PSH, of all that is queued.
    pub(super) fn pushed(&self) -> SeqNumber {
        self.pushed
    }

    /// A packet that was begun ends at `end`, and will have PSH.
    pub(super) fn push_at(&mut self, end: SeqNumber) {
        self.pushes.push_back(end);
        self.pushed = end;
    }

    /// Bytes were queued up to `data_end`; `whole`: all that the user had.
    pub(super) fn written(&mut self, data_end: SeqNumber, end: WriteEnd, whole: bool) {
        self.ends = end != WriteEnd::More || !whole;
        if self.ends {
            self.pushed = data_end;
        }
        self.more = end == WriteEnd::More && whole;
        // Who waits for room waits for what is in the buffer to leave.
        self.flushed = !whole;
        if end == WriteEnd::Record && whole {
            self.records.push_back(data_end);
            self.tail = data_end;
        }
    }

    /// Where the record ends that `nxt` is in, if it does.
    pub(super) fn record_end(&self, nxt: SeqNumber) -> Option<SeqNumber> {
        self.records.get(self.records.partition_point(|end| end.at_or_before(nxt))).copied()
    }

    /// A packet of `segments` is about to go out for the first time, up to `end`; `last`: of all that is queued. Does it
    /// carry PSH?
    pub(super) fn sent(&mut self, end: SeqNumber, segments: u32, last: bool) -> bool {
        let ends_write = self.take_push(end) || (last && self.ends) || self.record_end(end - 1) == Some(end);
        let push = segments > 1 || ends_write;
        if push {
            self.packets.push_back(Packet { end, ends_write });
        }
        push
    }

    /// Does a packet end at `end` that was to have PSH?
    fn take_push(&mut self, end: SeqNumber) -> bool {
        let mut is_there = false;
        while let Some(at) = self.pushes.front().filter(|at| at.at_or_before(end)) {
            is_there = *at == end;
            self.pushes.pop_front();
        }
        if self.pushes.is_empty() {
            self.pushes = VecDeque::new();
        }
        is_there
    }

    /// The end of the packet that carried what begins at `begin`, if that was more than a segment or ended a write.
    pub(super) fn packet_end(&self, begin: SeqNumber) -> Option<SeqNumber> {
        self.packet_after(begin).map(|packet| packet.end)
    }

    /// A packet of `segments` goes out again, up to `end`. Does it carry PSH?
    pub(super) fn sent_again(&self, end: SeqNumber, segments: u32) -> bool {
        segments > 1
            || self.packet_after(end - 1).is_some_and(|packet| packet.end == end && packet.ends_write)
    }

    fn packet_after(&self, position: SeqNumber) -> Option<&Packet> {
        self.packets.get(self.packets.partition_point(|packet| packet.end.at_or_before(position)))
    }

    /// Everything left of `una` has arrived.
    pub(super) fn acknowledged(&mut self, una: SeqNumber) {
        // An idle connection keeps no memory.
        while self.records.front().is_some_and(|end| end.at_or_before(una)) {
            self.records.pop_front();
            if self.records.is_empty() {
                self.records = VecDeque::new();
            }
        }
        while self.packets.front().is_some_and(|packet| packet.end.at_or_before(una)) {
            self.packets.pop_front();
            if self.packets.is_empty() {
                self.packets = VecDeque::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u32) -> SeqNumber {
        SeqNumber::new(u32::MAX - 50) + position
    }

    #[test]
    fn the_last_segment_of_a_write_and_every_larger_packet_has_psh() {
        let mut writes = Writes::new(at(0));
        writes.written(at(250), WriteEnd::Push, true);
        assert!(!writes.sent(at(100), 1, false));
        assert!(writes.sent(at(200), 2, false));
        assert!(writes.sent(at(250), 1, true));
        assert!(writes.sent_again(at(250), 1) && !writes.sent_again(at(200), 1));
        assert_eq!(writes.packet_end(at(100)), Some(at(200)));
        writes.acknowledged(at(250));
        assert!(writes.packets.is_empty());
    }

    #[test]
    fn a_packet_that_was_to_be_pushed_is_when_it_ends() {
        let mut writes = Writes::new(at(0));
        writes.push_at(at(40));
        writes.written(at(90), WriteEnd::Push, true);
        assert_eq!(writes.pushed(), at(90));
        assert!(!writes.sent(at(20), 1, false) && writes.sent(at(40), 1, false));
        assert!(!writes.sent(at(60), 1, false) && writes.pushes.is_empty());
    }

    #[test]
    fn who_says_that_more_follows_has_not_ended_a_write() {
        let mut writes = Writes::new(at(0));
        writes.written(at(50), WriteEnd::More, true);
        assert!(writes.more && !writes.sent(at(50), 1, true));
        writes.written(at(60), WriteEnd::More, false);
        assert!(writes.flushed && writes.sent(at(60), 1, true), "the buffer was full");
    }

    #[test]
    fn a_record_ends_where_it_was_said() {
        let mut writes = Writes::new(at(0));
        writes.written(at(50), WriteEnd::Record, true);
        writes.written(at(90), WriteEnd::Push, true);
        assert_eq!((writes.record_end(at(0)), writes.record_end(at(50))), (Some(at(50)), None));
        assert!(writes.sent(at(50), 1, false));
    }
}
