//! A socket is made: the program gets the lowest free number.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::steps::Show;
use crate::steps::story::Story;
use crate::surprise::Surprise;
use crate::table::Table;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    before: Table,
    events: Vec<Event>,
    fd: usize,
    after: Table,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let before = story.stage.table(story.server);
    let fd = story.stage.socket(story.server, Kind::Stream)?;
    story.listener = fd;
    let after = story.stage.table(story.server);
    Ok(Facts { before, events: story.events(), fd, after })
}

impl Show for Facts {
    const KEY: &'static str = "socket";

    fn show(&self, page: &mut Page<'_>) {
        page.say("before");
        page.table(&self.before);
        page.say("call");
        page.calls(&self.events);
        page.table(&self.after);
        page.say("after");
    }
}
