//! One write of 5000 bytes, cut into segments.

use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, frames};
use crate::steps::Show;
use crate::steps::story::{Story, pattern};
use crate::surprise::Surprise;

/// What is written at once, in bytes.
pub(crate) const WRITTEN_BYTES: usize = 5000;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    written: usize,
    /// The payload of each segment.
    sizes: Vec<usize>,
    /// The largest packet of the link, and what of it is left for payload.
    mtu: u32,
    mss: u32,
    headers: u32,
    received: usize,
    /// What was received is what was written.
    equal: bool,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (server, ours) = (story.server, story.ours[0]);
    let (client, theirs) = (story.clients[0], story.theirs[0]);
    let bytes = pattern(WRITTEN_BYTES);
    let written = story.stage.write(client, theirs, &bytes)?;
    let mut received = Vec::new();
    story.stage.until("all bytes", |stage| {
        let id = stage.id(server, ours).ok()?;
        let waiting = stage.inside(server).status(id)?.readable_bytes;
        (waiting == written).then_some(())
    })?;
    received.extend(story.stage.read(server, ours)?);
    let id = story.stage.id(client, theirs).map_err(|_| Surprise::Missing("socket"))?;
    let (status, info) = story.stage.inside(client).info(id).ok_or(Surprise::Missing("connection"))?;
    let events = story.events();
    let name = story.stage.name(client);
    let mine = frames(&events).filter(|frame| frame.from == name && frame.bytes > 0);
    let sizes = mine.map(|frame| frame.bytes).collect();
    let (mtu, mss) = (info.path_mtu_bytes, status.mss_bytes);
    let equal = received == bytes;
    Ok(Facts { events, written, sizes, mtu, mss, headers: mtu - mss, received: received.len(), equal })
}

impl Show for Facts {
    const KEY: &'static str = "segments";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Relative);
        page.say("sizes");
        page.say("after");
    }
}
