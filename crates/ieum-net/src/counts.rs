//! What was dropped on a net, and why.

/// Why a frame was dropped, or a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// Its source is not one of its port's own addresses.
    Source,
    /// Nobody has the destination.
    Nobody,
    /// It cannot be read.
    Malformed,
    /// Too many waited for the receiver.
    Overflow,
    /// The receiver has left, or the link is down.
    Gone,
    /// A member that sent what no ieum sends: it is dropped itself.
    Stranger,
}

const REASONS: [(Reason, &str); 6] = [
    (Reason::Source, "from an address that is not its port's own"),
    (Reason::Nobody, "for an address that nobody has"),
    (Reason::Malformed, "not an IP packet"),
    (Reason::Overflow, "too many waited for a slow host"),
    (Reason::Gone, "for a host that has left"),
    (Reason::Stranger, "members that sent what no ieum sends"),
];

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Counts([u64; REASONS.len()]);

impl Counts {
    /// It happened once more.
    pub(crate) fn count(&mut self, reason: Reason) {
        self.add(reason, 1);
    }

    /// It happened so often.
    pub(crate) fn add(&mut self, reason: Reason, times: u64) {
        let place = REASONS.iter().position(|(other, _)| *other == reason);
        if let Some(count) = place.and_then(|place| self.0.get_mut(place)) {
            *count += times;
        }
    }

    /// What happened, in a fixed order.
    pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
        let all = REASONS.iter().zip(self.0).map(|((_, sentence), count)| (*sentence, count));
        all.filter(|(_, count)| *count > 0).collect()
    }
}
