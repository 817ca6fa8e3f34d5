//! The socket waits for connections from now on.

use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::steps::Show;
use crate::steps::story::Story;
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// Connections that may wait to be accepted, less one.
const BACKLOG: i32 = 5;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// The socket's row.
    socket: Row,
    table: Table,
    /// Packets that the three calls so far have caused.
    frames: usize,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, fd) = (story.server, story.listener);
    story.stage.listen(server, fd, BACKLOG)?;
    let table = story.stage.table(server);
    let socket = table.row(fd).cloned().ok_or(Surprise::Missing("socket"))?;
    let events = story.events();
    Ok(Facts { events, socket, table, frames: story.frames })
}

impl Show for Facts {
    const KEY: &'static str = "listen";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.table(&self.table);
        page.say("after");
    }
}
