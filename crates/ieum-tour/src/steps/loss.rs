//! A segment is lost, sent again, and the order is kept.

use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, Ms, frames};
use crate::steps::Show;
use crate::steps::segments::WRITTEN_BYTES;
use crate::steps::story::{Story, pattern};
use crate::surprise::Surprise;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    written: usize,
    /// The segment that reached nobody, and the one that brought its bytes.
    lost: Event,
    again: Event,
    /// Segments that reached nobody.
    losses: usize,
    /// How long the bytes were missing on their way.
    after_ms: Ms,
    /// What the program could read while the segment was missing, though all others had come.
    readable: usize,
    received: usize,
    /// What was received is what was written, in its order.
    equal: bool,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, ours) = (story.server, story.ours[0]);
    let (client, theirs) = (story.clients[0], story.theirs[0]);
    let bytes = pattern(WRITTEN_BYTES);
    story.stage.lose(client, 1);
    let written = story.stage.write(client, theirs, &bytes)?;
    // The receiver has told of what came behind the hole, twice: nothing of the first flight is under way any more.
    story.stage.until("acknowledgements of what came behind the hole", |stage| {
        let told = |event: &Event| {
            event.frame().and_then(|frame| frame.segment()).is_some_and(|segment| !segment.sack.is_empty())
        };
        (stage.events().iter().filter(|event| told(event)).count() == 2).then_some(())
    })?;
    let readable = story.stage.readable(server, ours)?;
    story.stage.until("all bytes", |stage| {
        let id = stage.id(server, ours).ok()?;
        let waiting = stage.inside(server).status(id)?.readable_bytes;
        (waiting == written).then_some(())
    })?;
    let received = story.stage.read(server, ours)?;
    let events = story.events();
    let find = |is: &dyn Fn(&Event) -> bool, name| {
        events.iter().find(|event| is(event)).cloned().ok_or(Surprise::Missing(name))
    };
    let lost = find(&|event| event.frame().is_some_and(|frame| frame.lost), "lost segment")?;
    let is_again =
        |event: &Event| event.frame().and_then(|frame| frame.segment()).is_some_and(|segment| segment.again);
    let again = find(&is_again, "segment sent again")?;
    let after_ms = again.at_ms.since(lost.at_ms);
    let losses = frames(&events).filter(|frame| frame.lost).count();
    let equal = received == bytes;
    Ok(Facts { events, written, lost, again, losses, after_ms, readable, received: received.len(), equal })
}

impl Show for Facts {
    const KEY: &'static str = "loss";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Relative);
        page.say("hole");
        page.say("again");
        page.say("after");
    }
}
