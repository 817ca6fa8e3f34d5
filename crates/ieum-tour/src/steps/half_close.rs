//! One direction ends, the other goes on.

use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::Event;
use crate::steps::Show;
use crate::steps::story::{Story, shown, state_of};
use crate::surprise::Surprise;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// What the server's read returned when the client had ended its direction.
    end_of_file: usize,
    /// What the client still received then.
    answer: String,
    /// The states at the end.
    client_state: &'static str,
    server_state: &'static str,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, ours) = (story.server, story.ours[0]);
    let (client, theirs) = (story.clients[0], story.theirs[0]);
    story.stage.shutdown(client, theirs)?;
    let end_of_file = story.stage.read(server, ours)?.len();
    story.stage.write(server, ours, b"I can still answer")?;
    let answer = shown(&story.stage.read(client, theirs)?);
    let events = story.events();
    let (client_state, server_state) =
        (state_of(&story.stage, client, theirs)?, state_of(&story.stage, server, ours)?);
    Ok(Facts { events, end_of_file, answer, client_state, server_state })
}

impl Show for Facts {
    const KEY: &'static str = "half-close";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Relative);
        page.say("after");
    }
}
