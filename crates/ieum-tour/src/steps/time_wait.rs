//! Both directions end: who ended first waits (RFC 9293 §3.6).

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, Ms, What};
use crate::steps::Show;
use crate::steps::story::{Story, refusal};
use crate::surprise::Surprise;
use crate::table::Table;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// The client's host while it waits.
    client: Table,
    /// The client's address and port, and what the next one hears who wants them meanwhile.
    local: String,
    refused: Refused,
    /// How long it waited.
    time_wait_ms: Ms,
    /// The server's descriptors afterwards.
    server: Table,
}

#[derive(Debug, Serialize)]
struct Refused {
    events: Vec<Event>,
    /// What bind says without SO_REUSEADDR.
    errno: String,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, ours) = (story.server, story.ours[0]);
    let (client, theirs) = (story.clients[0], story.theirs[0]);
    let connection = story.stage.table(client).row(theirs).and_then(|row| row.local.clone());
    let local = connection.ok_or(Surprise::Missing("connection"))?;
    let address = story.stage.local_address(client, theirs)?;
    story.stage.take_events();
    let begin = Ms(story.stage.now().micros());
    story.stage.close(server, ours)?;
    story.stage.read(client, theirs)?;
    story.stage.close(client, theirs)?;
    let events = story.events();
    let waits_since =
        begin.plus(state_at(&events, &local, "TIME-WAIT").ok_or(Surprise::Missing("TIME-WAIT"))?);
    let waiting = story.stage.table(client);

    let fd = story.stage.socket(client, Kind::Stream)?;
    let errno = refusal(story.stage.bind(client, fd, address))?;
    story.stage.close(client, fd)?;
    let refused = Refused { events: story.events(), errno };

    story.stage.until("the end of TIME-WAIT", |stage| state_at(stage.events(), &local, "CLOSED"))?;
    let time_wait_ms = Ms(story.stage.now().micros()).since(waits_since);
    story.stage.take_events();
    let server = story.stage.table(server);
    Ok(Facts { events, client: waiting, local, refused, time_wait_ms, server })
}

/// When the end at `local` came into a state.
fn state_at(events: &[Event], local: &str, state: &str) -> Option<Ms> {
    let is = |event: &&Event| matches!(&event.what, What::State(change) if change.local == local && change.state == state);
    events.iter().find(is).map(|event| event.at_ms)
}

impl Show for Facts {
    const KEY: &'static str = "time-wait";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Relative);
        page.say("waiting");
        page.table(&self.client);
        page.say("refused");
        page.calls(&self.refused.events);
        page.say("after");
        page.table(&self.server);
    }
}
