//! The server takes the connection: a descriptor of its own.

use serde::Serialize;

use crate::draw::Page;
use crate::event::{Event, frames};
use crate::steps::Show;
use crate::steps::story::Story;
use crate::surprise::Surprise;
use crate::table::Table;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    listener: usize,
    fd: usize,
    peer: String,
    /// Packets that the call caused.
    frames: usize,
    table: Table,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (fd, peer) = story.stage.accept(story.server, story.listener)?;
    story.ours.push(fd);
    let events = story.events();
    let frames = frames(&events).count();
    let table = story.stage.table(story.server);
    Ok(Facts { events, listener: story.listener, fd, peer: peer.to_string(), frames, table })
}

impl Show for Facts {
    const KEY: &'static str = "accept";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.table(&self.table);
        page.say("after");
    }
}
