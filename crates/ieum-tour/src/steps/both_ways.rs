//! Write and read, in both directions at the same moment.

use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, Ms};
use crate::steps::Show;
use crate::steps::story::{Story, shown};
use crate::surprise::Surprise;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// What the server read.
    to_server: String,
    /// What the client read.
    to_client: String,
    /// When the two segments were sent.
    sent_at_ms: Vec<Ms>,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, ours) = (story.server, story.ours[0]);
    let (client, theirs) = (story.clients[0], story.theirs[0]);
    story.stage.write(client, theirs, b"to the server")?;
    story.stage.write(server, ours, b"to the client")?;
    let to_server = shown(&story.stage.read(server, ours)?);
    let to_client = shown(&story.stage.read(client, theirs)?);
    let events = story.events();
    let has_data = |event: &&Event| event.frame().is_some_and(|frame| frame.bytes > 0);
    let sent_at_ms = events.iter().filter(has_data).map(|event| event.at_ms).collect();
    Ok(Facts { events, to_server, to_client, sent_at_ms })
}

impl Show for Facts {
    const KEY: &'static str = "both-ways";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Relative);
        page.say("after");
    }
}
