//! The socket gets an address and a port.

use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::steps::Show;
use crate::steps::story::Story;
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// The socket's row.
    socket: Row,
    table: Table,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, fd, address) = (story.server, story.listener, story.address());
    story.stage.bind(server, fd, address)?;
    let table = story.stage.table(server);
    let socket = table.row(fd).cloned().ok_or(Surprise::Missing("socket"))?;
    Ok(Facts { events: story.events(), socket, table })
}

impl Show for Facts {
    const KEY: &'static str = "bind";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.table(&self.table);
        page.say("after");
    }
}
