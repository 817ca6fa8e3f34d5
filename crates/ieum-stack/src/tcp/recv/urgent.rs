//! Urgent data (RFC 9293 §3.8.5, RFC 6093), as Linux reads it.
//!
//! TCP has no data out of band: an urgent pointer only marks a place in the stream. Like every BSD the byte *before* the
//! place it points to is taken for the urgent one (RFC 6093 §3.1), reading stops before it, and unless the user wants it
//! inline (SO_OOBINLINE) it is read by a call of its own and left out of the stream. A newer mark replaces one that was not
//! read. New programs should use none of this (RFC 6093 §5).

use ieum_wire::SeqNumber;

use super::Recv;
use crate::tcp::segment::Segment;

/// A mark in the stream.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Urgent {
    /// Position of the urgent byte.
    at: SeqNumber,
    byte: Byte,
}

/// The urgent byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Byte {
    /// It was announced and has not come.
    Awaited,
    Here(u8),
    /// It was read by itself.
    Taken,
}

/// What reading the urgent byte by itself gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UrgentByte {
    /// There is none, or it was read.
    Nothing,
    /// It was announced.
    Awaited,
    /// It is here.
    Here(u8),
}

impl Recv {
    /// A segment may announce urgent data, or bring it; called before its data is taken. True when the user is to know.
    pub(in crate::tcp) fn urgent_arrives(&mut self, segment: &Segment<'_>, inline: bool) -> bool {
        let mut news = false;
        let seq = segment.header.seq;
        if segment.header.flags.urg {
            let at = seq + u32::from(segment.header.urgent.saturating_sub(1));
            let is_new = self.urgent.is_none_or(|known| at.after(known.at));
            if at.at_or_after(self.nxt) && is_new {
                if !inline && self.is_at_mark() && self.readable > 0 {
                    // The older urgent byte comes next: it is passed over now, for nobody will know that it was one (Linux).
                    self.pass_over(1);
                }
                self.urgent = Some(Urgent { at, byte: Byte::Awaited });
                news = true;
            }
        }
        if let Some(urgent) = &mut self.urgent
            && urgent.byte == Byte::Awaited
            && urgent.at.at_or_after(seq)
            && let Ok(offset) = usize::try_from(urgent.at.since(seq))
            && let Some(byte) = segment.payload.get(offset)
        {
            urgent.byte = Byte::Here(*byte);
            news = true;
        }
        news
    }

    /// How far a read goes: bytes that it leaves out in front, and bytes that follow. It ends before the urgent byte; one
    /// that begins there goes on behind it.
    pub(in crate::tcp) fn readable_to_mark(&self, inline: bool) -> (usize, usize) {
        match self.urgent_offset() {
            Some(0) if inline => (0, self.readable),
            Some(0) => (1, self.readable - 1),
            Some(offset) => (0, offset),
            None => (0, self.readable),
        }
    }

    /// Does the next read begin at the urgent byte (sockatmark(3))?
    pub(in crate::tcp) fn is_at_mark(&self) -> bool {
        self.urgent.is_some_and(|urgent| urgent.at == self.front())
    }

    /// The urgent byte by itself; `peek`: it stays.
    pub(in crate::tcp) fn urgent_byte(&mut self, peek: bool) -> UrgentByte {
        let Some(urgent) = &mut self.urgent else { return UrgentByte::Nothing };
        match urgent.byte {
            Byte::Awaited => UrgentByte::Awaited,
            Byte::Taken => UrgentByte::Nothing,
            Byte::Here(byte) => {
                if !peek {
                    urgent.byte = Byte::Taken;
                }
                UrgentByte::Here(byte)
            }
        }
    }

    /// Has the urgent byte come, and was not read by itself?
    pub(in crate::tcp) fn has_urgent_byte(&self) -> bool {
        self.urgent.is_some_and(|urgent| matches!(urgent.byte, Byte::Here(_)))
    }

    /// What was read has passed the mark: it is forgotten.
    pub(super) fn forget_passed_mark(&mut self) {
        let front = self.front();
        self.urgent = self.urgent.filter(|urgent| urgent.at.at_or_after(front));
    }

    /// Where the urgent byte lies among the readable ones.
    pub(in crate::tcp) fn urgent_offset(&self) -> Option<usize> {
        let offset = usize::try_from(self.urgent?.at.since(self.front())).ok()?;
        (offset < self.readable).then_some(offset)
    }

    /// The position of the next byte to be read.
    fn front(&self) -> SeqNumber {
        let readable = u32::try_from(self.readable).expect("a buffer holds less than 2³² bytes");
        self.nxt - u32::from(self.fin_received) - readable
    }
}
