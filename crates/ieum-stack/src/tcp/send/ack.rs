//! An acknowledgement (RFC 9293 §3.10.7.4, fifth): what it says of what is in flight, and what follows.
//!
//! In this order: the blocks, the left edge, the round trip, what is believed ([`super::recovery`]), the window, the alarm.

use std::time::Duration;

use ieum_wire::tcp::SackBlock;
use ieum_wire::{Instant, SeqNumber};

use super::chronograph::Held;
use super::congestion::Heard;
use super::range::Range;
use super::rate::Newest;
use super::recovery::{Belief, News};
use super::{Send, u32_of};
use crate::tcp::state::OurEnd;

/// What a segment says to the sending half. Its acknowledgement is not beyond what was sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Ack<'a> {
    /// Everything left of it has arrived.
    pub(in crate::tcp) ack: SeqNumber,
    /// Blocks that have arrived as well, and first perhaps one that came twice.
    pub(in crate::tcp) sack: &'a [SackBlock],
    /// The segment has data or a FIN, or changes the window: it is no mere repetition.
    pub(in crate::tcp) is_not_bare: bool,
    /// How long ago the timestamp was made that it echoes, in milliseconds.
    pub(in crate::tcp) echo_age: Option<Duration>,
    /// Payload of a full segment, in bytes.
    pub(in crate::tcp) mss: u32,
}

/// What an acknowledgement brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::tcp) struct Acknowledged {
    /// There is more room in the buffer.
    pub(in crate::tcp) room: bool,
    /// Our FIN was acknowledged just now.
    pub(in crate::tcp) fin: bool,
}

/// What is gathered while ranges arrive.
#[derive(Clone, Copy, Default)]
struct Arrivals {
    /// When the first and the last of those were sent that the left edge passed and that were sent once.
    oldest: Option<Instant>,
    newest: Option<Instant>,
    /// When the first was sent that a block told of.
    oldest_sacked: Option<Instant>,
    /// Segments that were not known to have arrived, and what of them was sent last.
    delivered: u32,
    sent_last: Option<Newest>,
    /// And their bytes.
    bytes: u32,
    /// The leftmost that was sent once and arrived late.
    overtaken: Option<SeqNumber>,
}

impl Arrivals {
    /// A range has arrived that was not known to have.
    fn arrived(&mut self, range: &Range) {
        self.delivered += range.segments();
        self.bytes += range.end.since(range.begin);
        let this = Newest { sent_at: range.sent_at, end: range.end, snapshot: range.snapshot };
        if self.sent_last.is_none_or(|last| this.is_newer(&last)) {
            self.sent_last = Some(this);
        }
    }

    /// A range sent once has arrived below `known`, behind which something had arrived before.
    fn late(&mut self, range: &Range, known: Option<SeqNumber>) {
        let is_late = known.is_some_and(|known| range.begin.before(known));
        if is_late && self.overtaken.is_none_or(|leftmost| range.begin.before(leftmost)) {
            self.overtaken = Some(range.begin);
        }
    }
}

impl Send {
    /// Takes an acknowledgement.
    /// `marks` says how many segments arrived marked, when so many segments and bytes have arrived, and whether anything has.
    pub(in crate::tcp) fn acknowledged(
        &mut self,
        now: Instant,
        said: &Ack<'_>,
        marks: impl FnOnce(u32, u32, bool) -> u32,
    ) -> Acknowledged {
        self.writes.more = false;
        self.notice_gap();
        let lost_before = self.flight.counts().lost;
        let had_flight = !self.flight.is_empty();
        let echoed_ms = said.echo_age.and_then(|age| (now.micros() / 1000).checked_sub(millis(age)));
        // What was said before something that has been heard already says nothing once more.
        let is_not_bare = said.is_not_bare || said.ack.before(self.una);
        let mut news = News { is_not_bare, echoed_ms, ..News::default() };
        let mut arrivals = Arrivals::default();
        let known = self.flight.sacked_until();

        if self.sack {
            self.read_blocks(now, said, &mut news, &mut arrivals);
        }
        let brought = self.advance(now, said, known, &mut news, &mut arrivals);
        let progress = news.advanced || news.sacked;
        let marked = marks(arrivals.delivered, arrivals.bytes, progress);
        news.marked = marked > 0;
        if !had_flight {
            // What came twice may still say that nothing had been lost.
            if news.duplicate {
                self.judge(now, &news);
                self.hear_of_probe(said.ack, &news);
            }
            return brought;
        }
        self.flight.delivery.credit(now, arrivals.delivered);
        if let Some(newest) = arrivals.sent_last {
            self.flight.delivery.arrived(newest);
        }
        let rtt = self.measure(now, said, &news, &arrivals);
        self.sums.delivered(arrivals.delivered, marked.min(arrivals.delivered));
        if let Some(leftmost) = arrivals.overtaken
            && let Some(until) = known.max_position(self.flight.sacked_until())
        {
            self.rack.reordered(until.since(leftmost), said.mss);
            self.sums.reorderings = self.sums.reorderings.wrapping_add(1);
        }
        self.hear_of_probe(said.ack, &news);
        let is_dubious = !(news.is_not_bare || news.advanced)
            || news.sacked
            || news.duplicate
            || news.marked
            || self.recovery.belief() != Belief::Open;
        let duplicates_before = self.flight.counts().duplicates;
        let waits =
            (news.advanced && self.waits_for_thrown_away(now)) || (is_dubious && self.judge(now, &news));
        let duplicates = self.flight.counts().duplicates.saturating_sub(duplicates_before);
        self.flight.delivery.credit(now, duplicates);
        self.tell_losses(now);
        self.resize(now, &news, arrivals.delivered, rtt, lost_before);
        self.set_alarm_after_ack(now, &news, waits);
        brought
    }

    /// RFC 2018, RFC 2883: what the blocks tell.
    fn read_blocks(&mut self, now: Instant, said: &Ack<'_>, news: &mut News, arrivals: &mut Arrivals) {
        let mut blocks = said.sack;
        if let Some(first) = self.duplicate_block(said) {
            blocks = &blocks[1..];
            news.duplicate = true;
            news.probe_duplicate = self.recovery.is_of_probe(first.end);
            let segments = first.end.since(first.begin).div_ceil(said.mss);
            self.sums.duplicates = self.sums.duplicates.wrapping_add(segments);
            self.recovery.duplicated(first.end, segments);
            self.rack.duplicated(self.una, self.nxt);
        }
        let (until, una, nxt) = (self.recovery.until(), self.una.max(said.ack), self.nxt);
        let originals_lost = self.recovery.knows_of_loss();
        let (flight, rack) = (&mut self.flight, &mut self.rack);
        for block in blocks {
            // What lies outside of what was sent is a lie or old (RFC 2018 §5.1 asks for no more than to be careful).
            let is_ours =
                block.end.after(block.begin) && block.begin.at_or_after(una) && block.end.at_or_before(nxt);
            if !is_ours {
                continue;
            }
            let known = flight.sacked_until();
            flight.sacked(block.begin, block.end, |range| {
                news.sacked = true;
                arrivals.arrived(range);
                if !range.repeated {
                    arrivals.late(range, known);
                    news.original |= range.end.at_or_before(until);
                    let sent = range.sent_at;
                    arrivals.oldest_sacked =
                        Some(arrivals.oldest_sacked.map_or(sent, |oldest| oldest.min(sent)));
                }
                rack.arrived(now, range, originals_lost);
            });
        }
    }

    /// The first block, when it reports a duplicate: it lies left of the acknowledgement or within the second block
    /// (RFC 2883 §4).
    fn duplicate_block(&self, said: &Ack<'_>) -> Option<SackBlock> {
        let first = *said.sack.first()?;
        let covered = said.sack.get(1).is_some_and(|second| {
            first.begin.at_or_after(second.begin) && first.end.at_or_before(second.end)
        });
        let is_plausible = first.end.after(first.begin) && first.end.at_or_before(self.nxt);
        (is_plausible && (first.begin.before(said.ack) || covered)).then_some(first)
    }

    /// The left edge moves.
    fn advance(
        &mut self,
        now: Instant,
        said: &Ack<'_>,
        known: Option<SeqNumber>,
        news: &mut News,
        arrivals: &mut Arrivals,
    ) -> Acknowledged {
        let count = said.ack.since(self.una);
        if count == 0 {
            return Acknowledged::default();
        }
        news.advanced = true;
        self.retries = 0;
        self.asks_in_vain = false;
        self.sums.acknowledged(now, count);
        let until = self.recovery.until();
        let was_cut = self.flight.is_cut();
        let originals_lost = self.recovery.knows_of_loss();
        let (rack, sack) = (&mut self.rack, self.sack);
        let mut segments = 0;
        self.flight.acknowledged(said.ack, |range| {
            segments += range.segments();
            if range.repeated {
                news.repeated = true;
            } else if !range.sacked {
                arrivals.oldest.get_or_insert(range.sent_at);
                arrivals.newest = arrivals.newest.max(Some(range.sent_at));
                arrivals.late(range, known);
                news.original |= range.end.at_or_before(until);
            }
            if !range.sacked {
                arrivals.arrived(range);
                // Without SACK, what follows a repetition came at any time before it.
                if sack || range.repeated || !news.repeated {
                    rack.arrived(now, range, originals_lost);
                }
            }
        });
        if was_cut && arrivals.oldest.is_some() {
            // Whoever cut a segment on the way delivers its parts in any order: as Linux, a path that reorders.
            self.rack.reordered(0, said.mss);
            self.sums.reorderings = self.sums.reorderings.wrapping_add(1);
        }
        if !sack {
            let duplicates = self.flight.counts().duplicates;
            arrivals.delivered = segments.saturating_sub(duplicates).max(1);
            // One acknowledgement acknowledges the hole, the others had been counted as duplicates; save after a time-out: from
            // then on duplicates tell of what was sent since, behind all that is missing.
            let told_before =
                if originals_lost && said.ack.before(until) { 0 } else { segments.saturating_sub(1) };
            self.flight.set_duplicates(duplicates.saturating_sub(told_before));
        }
        let data = count.min(u32_of(self.queued));
        let fin = self.end == OurEnd::Finished && count > data;
        self.queue.advance(data.try_into().unwrap_or(usize::MAX));
        self.queued -= usize::try_from(data).unwrap_or(usize::MAX);
        if fin {
            self.end = OurEnd::Acknowledged;
        }
        self.una = said.ack;
        self.writes.acknowledged(said.ack);
        self.waiting_since = None;
        let room = data > 0;
        if self.is_idle() || (room && self.room_wanted) {
            self.chronograph.end(now, Held::ByBuffer, self.is_idle());
        }
        Acknowledged { room, fin }
    }

    /// The round trip (RFC 6298 §3, RFC 7323 §4.1): by something that was sent once, else by the echoed timestamp. The one
    /// that is returned, of the newest, is free of the peer's delay in acknowledging.
    fn measure(
        &mut self,
        now: Instant,
        said: &Ack<'_>,
        news: &News,
        arrivals: &Arrivals,
    ) -> Option<Duration> {
        let by_edge = arrivals.oldest.filter(|_| !news.repeated).map(|sent| now.since(sent));
        let by_block = arrivals.oldest_sacked.map(|sent| now.since(sent));
        let by_echo = said.echo_age.filter(|_| news.advanced);
        let newest = arrivals.newest.filter(|_| !news.repeated).map(|sent| now.since(sent)).or(by_block);
        if let Some(rtt) = by_edge.or(by_block).or(by_echo) {
            self.rto.measured(rtt);
        }
        if let Some(rtt) = newest {
            self.rack.min_rtt.measured(now, rtt);
        }
        newest
    }

    /// The congestion window, after `delivered` segments have arrived.
    fn resize(&mut self, now: Instant, news: &News, delivered: u32, rtt: Option<Duration>, lost_before: u32) {
        let heard = Heard {
            now,
            segments: delivered,
            rtt,
            min_rtt: self.rack.min_rtt.shortest(),
            una: self.una,
            nxt: self.nxt,
        };
        self.algorithm.measured(&mut self.congestion, &heard);
        let sample = self.flight.delivery.take_sample(now, heard.min_rtt);
        if self.algorithm.decides() {
            return self.report(&heard, news, sample);
        }
        if self.recovery.is_reducing() {
            let is_safe = news.advanced && self.flight.counts().lost <= lost_before;
            return self.reduce(delivered, is_safe);
        }
        // RFC 5681 §3.1 grows with the left edge; where the path is known to reorder, with every arrival.
        let may_grow = news.advanced || (news.sacked && self.rack.reorders());
        if may_grow && delivered > 0 && self.congestion.is_limiting() {
            self.algorithm.grow(&mut self.congestion, &heard);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The further right of two positions that may be unknown.
trait MaxPosition {
    fn max_position(self, other: Self) -> Self;
}

impl MaxPosition for Option<SeqNumber> {
    fn max_position(self, other: Option<SeqNumber>) -> Option<SeqNumber> {
        match (self, other) {
            (Some(one), Some(two)) => Some(one.max(two)),
            (one, two) => one.or(two),
        }
    }
}
