//! What happened in a step, in its order: calls, packets on the link, states that changed.

use serde::{Serialize, Serializer};

use crate::frame::Frame;

/// Microseconds of virtual time, told as milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Ms(pub(crate) u64);

impl Ms {
    /// From another moment to this one.
    pub(crate) fn since(self, earlier: Ms) -> Ms {
        Ms(self.0.saturating_sub(earlier.0))
    }

    /// A time later.
    pub(crate) fn plus(self, time: Ms) -> Ms {
        Ms(self.0.saturating_add(time.0))
    }

    fn value(self) -> f64 {
        // An hour fits, and the longest step lasts minutes.
        f64::from(u32::try_from(self.0).unwrap_or(u32::MAX)) / 1000.0
    }
}

impl std::fmt::Display for Ms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(f)
    }
}

impl Serialize for Ms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    /// When, since the first event of the step.
    pub(crate) at_ms: Ms,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What it was.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum What {
    /// A program called its host.
    Call(Call),
    /// A call came back that had been waiting.
    Return(Call),
    /// A packet was put on the link.
    Frame(Frame),
    /// A connection's state is another one than before.
    State(StateChange),
}

/// A call and its answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) host: &'static str,
    /// As it would be written in C, with the values of its variables.
    pub(crate) call: String,
    /// It came back later than it was made.
    pub(crate) waited: bool,
    /// What it returned; -1: see `errno`.
    pub(crate) result: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) errno: Option<String>,
    /// What it wrote into the caller's memory: an address, a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gives: Option<String>,
}

/// The state of one end of a connection.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateChange {
    pub(crate) host: &'static str,
    pub(crate) local: String,
    pub(crate) remote: String,
    /// As `ss` names it; `CLOSED` when the host knows the connection no more.
    pub(crate) state: &'static str,
}

impl Event {
    /// The packet, if that is what it was.
    pub(crate) fn frame(&self) -> Option<&Frame> {
        match &self.what {
            What::Frame(frame) => Some(frame),
            What::Call(_) | What::Return(_) | What::State(_) => None,
        }
    }
}

/// The events that are packets, and nothing else: for diagrams whose lanes are narrow.
pub(crate) fn only_frames(events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| event.frame().is_some()).cloned().collect()
}

/// The packets among events.
pub(crate) fn frames(events: &[Event]) -> impl Iterator<Item = &Frame> {
    events.iter().filter_map(Event::frame)
}
