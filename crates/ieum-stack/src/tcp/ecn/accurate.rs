//! Accurate ECN of a connection (RFC 9768): the counters of what arrived here, and of what arrived there as we are told.
//!
//! The receiver counts marked packets, and bytes of payload by codepoint. Every segment says the number of marked
//! packets modulo 8 (ACE), beginning at 5 so that zeroed bits are noticed; [`super::report`] writes the rest.
//!
//! The sender has to undo the modulo. An acknowledgement that covers 8 segments or more may hide a whole cycle: then the
//! option's bytes decide, and without an option it is taken that as many were marked as can have been, unless
//! acknowledgements are usually that large (§3.2.2.5.2, appendix A). Nothing is read from a segment that acknowledges nothing
//! new and is not later than others by its timestamp: it may have been overtaken.
//!
//! Middleboxes: a first number of zero means that the bits are cleared on the way; then nothing that we send may be marked any
//! more (§3.2.2.4). An option whose first counters are zero is not believed (§3.2.3.2.2), and when data comes again although
//! we have acknowledged it twice with the option, the option is sent no more (§3.2.3.2.3).

use ieum_wire::tcp::AccEcn;
use ieum_wire::{Instant, SeqNumber};

use super::negotiation::{codepoint_said, is_possible, reflected};
use super::{CE, ECT0, ECT1, NOT_CAPABLE, codepoint};

/// Where the counters of ACE and of the option's ECT bytes begin (§3.2.1).
const ACE_INITIAL: u32 = 5;
const ACE_MASK: u32 = 0b111;
const BYTES_INITIAL: [u32; 3] = [1, 1, 0];
/// A counter of the option has 24 bits.
const BYTES_MASK: u32 = 0xff_ffff;
const BYTES_SIGN: u32 = 0x80_0000;
/// The option is sent at least whenever a counter has grown by so many bytes, a quarter of its range.
const BYTES_TOLD_EVERY: u32 = 1 << 22;
/// Marked packets after which an acknowledgement waits no longer (§3.2.2.5.1).
const MARKS_PENDING_MAX: u32 = 2;
/// Parts of the average of segments that an acknowledgement covers, its inertia, and from how many on acknowledgements count as
/// usually large.
const COVER_PARTS: u32 = 64;
const COVER_INERTIA: u32 = 64;
const COVER_LARGE: u32 = 4;

/// What was told and heard; all numbers since the connection opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccurateCounts {
    /// Marked packets that arrived here.
    pub received_marked: u32,
    /// Marked packets that arrived there, as far as we know.
    pub delivered_marked: u32,
    /// Bytes that arrived here as ECT(1), ECT(0) and CE.
    pub received_bytes: [u32; 3],
    /// Bytes that arrived there, likewise.
    pub delivered_bytes: [u32; 3],
    /// How the peer's option was seen: 0 not yet, 1 without counters, 2 with, 3 broken.
    pub option_seen: u32,
    /// What turned out to fail: numbers sent, numbers received, options sent, options received, as bits from the lowest on.
    pub failed: u32,
}

/// Has the peer's option been seen?
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    No,
    Empty,
    Counters,
    Broken,
}

/// What is still to be learned from the peer's first segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    /// It ends the handshake: its number says how our SYN-ACK arrived.
    EndsHandshake,
    /// It is the first with a counter.
    Counts,
    Was,
}

/// What an acknowledgement tells of delivery.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Delivery {
    /// Segments and bytes that were not known to have arrived.
    pub(in crate::tcp) segments: u32,
    pub(in crate::tcp) bytes: u32,
    /// Payload of a full segment.
    pub(in crate::tcp) mss: u32,
    /// It moved something, or it is later than what was heard before.
    pub(in crate::tcp) progress: bool,
}

/// The state of one connection.
#[derive(Debug)]
pub(in crate::tcp) struct Accurate {
    received_marked: u32,
    /// Of these: arrived since our last segment.
    pending: u32,
    received_bytes: [u32; 3],
    /// The codepoint of the last packet.
    last: u8,
    /// So many of the option's fields are needed to say what changed.
    pub(super) fields_needed: usize,
    /// So many segments more are to have the option.
    pub(super) demand: u8,
    pub(super) option_at: Option<Instant>,
    /// What the next bare acknowledgement says instead of the counter: how the peer's SYN arrived.
    reflects: Option<u8>,
    /// Data came twice from here on, and was told with the option.
    pub(super) duplicate_told: Option<SeqNumber>,
    delivered_marked: u32,
    delivered_bytes: [u32; 3],
    /// Segments that an acknowledgement covers on average, in parts.
    cover: u32,
    seen: Seen,
    first: First,
    /// The peer's numbers are cleared on their way, or ours: nothing that we send may be marked.
    numbers_fail: bool,
    option_send_fails: bool,
    /// A path that changes codepoints in impossible ways is not trusted.
    fallback: bool,
}

impl Accurate {
    /// `codepoint`: with which the peer's SYN arrived; `passive`: it came first. `wavered`: not all of its SYNs asked.
    pub(in crate::tcp) fn new(codepoint: u8, passive: bool, wavered: bool, fallback: bool) -> Accurate {
        Accurate {
            received_marked: 0,
            pending: 0,
            received_bytes: [0; 3],
            last: codepoint,
            fields_needed: 0,
            demand: 0,
            option_at: None,
            reflects: (!passive).then(|| reflected(codepoint)),
            duplicate_told: None,
            delivered_marked: 0,
            delivered_bytes: [0; 3],
            cover: 0,
            seen: Seen::No,
            first: if passive { First::EndsHandshake } else { First::Counts },
            numbers_fail: wavered,
            option_send_fails: false,
            fallback,
        }
    }

    // What can be asked.

    /// May our segments be marked?
    pub(in crate::tcp) fn may_be_marked(&self) -> bool {
        !self.numbers_fail
    }

    /// May the option be sent at all? `persistently`: even if it seems to be what loses segments.
    pub(super) fn may_have_option(&self, persistently: bool) -> bool {
        self.seen != Seen::No && (!self.option_send_fails || persistently)
    }

    /// Marked packets since our last segment are so many that it should not wait.
    pub(in crate::tcp) fn is_pressing(&self) -> bool {
        self.pending >= MARKS_PENDING_MAX
    }

    /// The option's fields in the order that Linux sends: ECT(1), CE, ECT(0).
    pub(super) fn fields(&self) -> [u32; 3] {
        let said = |index: usize| self.received_bytes[index].wrapping_add(BYTES_INITIAL[index]);
        [said(index_of(ECT1)), said(index_of(CE)), said(index_of(ECT0))]
    }

    pub(in crate::tcp) fn counts(&self) -> AccurateCounts {
        let option_seen = match self.seen {
            Seen::No => 0,
            Seen::Empty => 1,
            Seen::Counters => 2,
            Seen::Broken => 3,
        };
        AccurateCounts {
            received_marked: self.received_marked,
            delivered_marked: self.delivered_marked,
            received_bytes: self.received_bytes,
            delivered_bytes: self.delivered_bytes,
            option_seen,
            failed: u32::from(self.numbers_fail) << 1
                | u32::from(self.option_send_fails) << 2
                | u32::from(self.seen == Seen::Broken) << 3,
        }
    }

    // What arrives.

    /// Our SYN was answered; `ace` says how it arrived there, the packet's `tos` how the answer arrived here.
    pub(in crate::tcp) fn answered(&mut self, ace: u8, tos: u8) {
        if self.is_plausible(ace) && codepoint(tos) == CE {
            self.received_marked += 1;
            self.pending += 1;
        }
    }

    /// A segment of the connection, with so many bytes of payload in so many frames. True when it should be answered at once,
    /// since the codepoint changed.
    pub(in crate::tcp) fn arrived(&mut self, tos: u8, frames: usize, payload_bytes: usize) -> bool {
        let codepoint = codepoint(tos);
        let frames = u32::try_from(frames).unwrap_or(1).max(1);
        if codepoint == CE {
            self.received_marked = self.received_marked.wrapping_add(frames);
            self.pending = self.pending.saturating_add(frames);
        }
        if codepoint != NOT_CAPABLE && payload_bytes > 0 {
            let counter = &mut self.received_bytes[index_of(codepoint)];
            let before = *counter;
            *counter = before.wrapping_add(u32::try_from(payload_bytes).unwrap_or(0));
            if before / BYTES_TOLD_EVERY != *counter / BYTES_TOLD_EVERY {
                self.demand = self.demand.max(1);
            }
            self.fields_needed = self.fields_needed.max(fields_to(codepoint));
        }
        let changed = self.last != codepoint;
        self.last = codepoint;
        if changed || codepoint == CE {
            // Two, so that the second one tells without doubt what the latter codepoint was.
            self.demand = 2;
        }
        changed
    }

    /// The peer's SYN, or its answer to ours, came once more: the next acknowledgement says how.
    pub(in crate::tcp) fn syn_came_again(&mut self, tos: u8) {
        self.reflects = Some(reflected(codepoint(tos)));
    }

    /// Data that begins at `seq` came although it was there already.
    pub(in crate::tcp) fn came_twice(&mut self, seq: SeqNumber) {
        self.option_send_fails |= self.duplicate_told == Some(seq);
    }

    // What an acknowledgement says.

    /// Segments of ours that arrived marked since the last time, by the number on an acknowledgement and its option. `bare`: it
    /// has no data.
    pub(in crate::tcp) fn heard(
        &mut self,
        ace: u8,
        option: Option<&AccEcn>,
        bare: bool,
        delivery: &Delivery,
    ) -> u32 {
        match std::mem::replace(&mut self.first, First::Was) {
            First::EndsHandshake => {
                self.option_came(option);
                return self.handshake_ends(ace, bare);
            }
            First::Counts if ace == 0 => {
                self.numbers_fail = true;
                return 0;
            }
            First::Counts | First::Was => {}
        }
        if !delivery.progress {
            return 0;
        }
        let bytes = self.read_option(option);
        self.average(delivery.segments);
        let cycle = ACE_MASK + 1;
        let said = u32::from(ace).wrapping_sub(ACE_INITIAL);
        let least = said.wrapping_sub(self.delivered_marked) & ACE_MASK;
        let marked = if delivery.segments < cycle {
            least
        } else {
            let most = delivery.segments - (delivery.segments.wrapping_sub(least) & ACE_MASK);
            self.undo_modulo(least, most, bytes, delivery)
        };
        self.delivered_marked = self.delivered_marked.wrapping_add(marked);
        marked
    }

    /// Between the `least` and the `most` that can have been marked.
    fn undo_modulo(&self, least: u32, most: u32, bytes: Option<u32>, delivery: &Delivery) -> u32 {
        match bytes {
            Some(0) => least,
            // All that arrived was marked.
            Some(bytes) if bytes >= delivery.bytes => most,
            Some(bytes) if bytes > least.saturating_mul(delivery.mss) => most,
            Some(bytes) if bytes < most.saturating_mul(delivery.mss) / 2 => least,
            Some(_) => most,
            None if self.cover > COVER_LARGE * COVER_PARTS => least,
            None => most,
        }
    }

    /// How many segments acknowledgements cover.
    fn average(&mut self, segments: u32) {
        if segments > 0 {
            let parts = segments.min(1 << 16) * COVER_PARTS;
            self.cover = match self.cover {
                0 => parts,
                before => (before * (COVER_INERTIA - 1) + parts) / COVER_INERTIA,
            };
        }
    }

    /// The segment that ends the handshake; a number there is how our SYN-ACK arrived (RFC 9768 §3.2.2.1).
    fn handshake_ends(&mut self, ace: u8, bare: bool) -> u32 {
        if ace == 0 {
            self.numbers_fail = true;
            return 0;
        }
        let marked = bare && self.is_plausible(ace) && codepoint_said(ace) == Some(CE);
        self.delivered_marked += u32::from(marked);
        u32::from(marked)
    }

    /// Our SYN went out as not to be marked: can it have arrived as `ace` says?
    fn is_plausible(&mut self, ace: u8) -> bool {
        let Some(came) = codepoint_said(ace) else { return true };
        let possible = !self.fallback || is_possible(NOT_CAPABLE, came);
        self.numbers_fail |= !possible;
        possible
    }

    /// The first option: are its counters what they begin with? (§3.2.3.2.2)
    pub(in crate::tcp) fn option_came(&mut self, option: Option<&AccEcn>) {
        let Some(option) = option.filter(|_| self.seen < Seen::Counters) else { return };
        self.seen = match option.fields() {
            [] => Seen::Empty,
            [0, ..] | [_, _, 0] => Seen::Broken,
            _ => Seen::Counters,
        };
        // A path that lets it pass is shown ours.
        self.demand = 2;
    }

    /// The option's counters: how many bytes more arrived marked; `None` when it says nothing that can be believed.
    fn read_option(&mut self, option: Option<&AccEcn>) -> Option<u32> {
        let option = option?;
        self.option_came(Some(option));
        if self.seen == Seen::Broken {
            return None;
        }
        let order = if option.ect1_first { [ECT1, CE, ECT0] } else { [ECT0, CE, ECT1] };
        let before = self.delivered_bytes[index_of(CE)];
        let mut believable = true;
        for (codepoint, field) in order.into_iter().zip(option.fields()) {
            let index = index_of(codepoint);
            let said = field.wrapping_sub(BYTES_INITIAL[index]) & BYTES_MASK;
            let more = said.wrapping_sub(self.delivered_bytes[index]) & BYTES_MASK;
            // More than half of the range means less.
            if more & BYTES_SIGN == 0 {
                self.delivered_bytes[index] = self.delivered_bytes[index].wrapping_add(more);
            } else {
                believable = false;
            }
        }
        believable.then(|| self.delivered_bytes[index_of(CE)].wrapping_sub(before))
    }

    // What is sent.

    /// The number of a segment about to be sent; `bare`: it is a mere acknowledgement.
    pub(in crate::tcp) fn say(&mut self, bare: bool) -> u8 {
        let reflects = self.reflects.take().filter(|_| bare);
        let counted = self.received_marked.wrapping_add(ACE_INITIAL) & ACE_MASK;
        if reflects.is_none() {
            self.pending = 0;
        }
        reflects.unwrap_or_else(|| u8::try_from(counted).unwrap_or_default())
    }

    /// Would its number be said with CWR, which those who cut a super-segment leave to the first piece?
    pub(in crate::tcp) fn says_cwr(&self) -> bool {
        self.received_marked.wrapping_add(ACE_INITIAL) & 0b010 != 0
    }
}

/// Where a codepoint's counter stands.
fn index_of(codepoint: u8) -> usize {
    usize::from(codepoint.clamp(ECT1, CE) - 1)
}

/// So many fields are needed for that of `codepoint` to be among them.
fn fields_to(codepoint: u8) -> usize {
    match codepoint {
        ECT1 => 1,
        CE => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Accurate {
        let mut accurate = Accurate::new(NOT_CAPABLE, true, false, true);
        assert_eq!(accurate.heard(0b010, None, true, &delivery(0)), 0);
        accurate
    }

    fn delivery(segments: u32) -> Delivery {
        Delivery { segments, bytes: segments * 1000, mss: 1000, progress: true }
    }

    fn ace(marked: u32) -> u8 {
        u8::try_from((marked + 5) % 8).unwrap()
    }

    #[test]
    fn marks_are_counted_across_the_end_of_the_number() {
        let mut accurate = opened();
        let mut sum = 0;
        for marked in [1, 3, 3, 7, 10, 17] {
            sum += accurate.heard(ace(marked), None, true, &delivery(7));
            assert_eq!(sum, marked);
        }
    }

    #[test]
    fn an_acknowledgement_that_was_overtaken_says_nothing() {
        let mut accurate = opened();
        let still = Delivery { progress: false, ..delivery(0) };
        assert_eq!(accurate.heard(ace(1), None, true, &still), 0);
    }

    #[test]
    fn a_large_acknowledgement_may_hide_a_cycle() {
        let mut accurate = opened();
        assert_eq!(accurate.heard(ace(0), None, true, &delivery(1)), 0);
        assert_eq!(accurate.heard(ace(0), None, true, &delivery(9)), 8);
        // But not where acknowledgements are always large.
        let mut accurate = opened();
        assert_eq!(accurate.heard(ace(0), None, true, &delivery(10)), 0);
    }

    #[test]
    fn the_option_tells_how_large_it_was() {
        let bytes = |ce| AccEcn::new(false, &[1, ce, 1]);
        let mut accurate = opened();
        assert_eq!(accurate.heard(ace(0), Some(&bytes(0)), true, &delivery(1)), 0);
        assert_eq!(accurate.heard(ace(0), Some(&bytes(0)), true, &delivery(9)), 0);
        assert_eq!(accurate.heard(ace(8), Some(&bytes(8000)), true, &delivery(9)), 8);
        assert_eq!(accurate.counts().delivered_bytes, [0, 0, 8000]);
    }

    #[test]
    fn bits_that_were_cleared_on_the_way_end_marking() {
        let mut accurate = Accurate::new(NOT_CAPABLE, true, false, true);
        accurate.heard(0, None, true, &delivery(0));
        assert!(!accurate.may_be_marked());
        let mut accurate = Accurate::new(NOT_CAPABLE, false, false, true);
        assert!(accurate.may_be_marked());
        accurate.heard(0, None, true, &delivery(1));
        assert!(!accurate.may_be_marked());
    }

    #[test]
    fn the_first_acknowledgement_says_how_the_syn_ack_came_and_the_next_counts() {
        let mut accurate = Accurate::new(ECT0, false, false, true);
        assert_eq!((accurate.say(true), accurate.say(true)), (0b100, 5));
        assert!(accurate.arrived(CE, 1, 1000));
        assert!(!accurate.arrived(CE, 1, 1000) && accurate.is_pressing());
        assert_eq!((accurate.say(true), accurate.fields()), (7, [1, 2000, 1]));
    }

    #[test]
    fn an_option_with_zeroed_counters_is_not_believed() {
        let mut accurate = opened();
        accurate.heard(ace(0), Some(&AccEcn::new(true, &[0, 0, 0])), true, &delivery(1));
        assert_eq!(accurate.counts().option_seen, 3);
    }

    #[test]
    fn data_that_comes_again_and_again_ends_the_option() {
        let mut accurate = opened();
        accurate.option_came(Some(&AccEcn::new(true, &[1, 0, 1])));
        accurate.came_twice(SeqNumber::new(7));
        assert!(accurate.may_have_option(false));
        accurate.duplicate_told = Some(SeqNumber::new(7));
        accurate.came_twice(SeqNumber::new(7));
        assert!(!accurate.may_have_option(false) && accurate.may_have_option(true));
    }
}
