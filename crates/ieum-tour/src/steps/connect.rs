//! A client connects: the three-way handshake (RFC 9293 §3.5), and a connection that no descriptor leads to yet.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, frames};
use crate::frame::Frame;
use crate::steps::Show;
use crate::steps::story::Story;
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// Segments that crossed the link.
    segments: usize,
    syn: Event,
    syn_ack: Event,
    ack: Event,
    /// By how much the acknowledgement is beyond the SYN that it acknowledges.
    syn_counts: u32,
    /// The client's socket.
    socket: Row,
    /// The server's listening socket.
    listener: Row,
    server: Table,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let (client, to) = (story.clients[0], story.address());
    let fd = story.stage.socket(client, Kind::Stream)?;
    story.theirs.push(fd);
    story.stage.connect(client, fd, to)?;
    let events = story.events();
    let segments = frames(&events).count();
    let mut frames = events.iter().filter(|event| event.frame().is_some()).cloned();
    let mut next = |name| frames.next().ok_or(Surprise::Missing(name));
    let (syn, syn_ack, ack) = (next("SYN")?, next("SYN ACK")?, next("ACK")?);
    let segment = |event| Event::frame(event).and_then(Frame::segment).ok_or(Surprise::Missing("segment"));
    let syn_counts = segment(&syn_ack)?.ack.wrapping_sub(segment(&syn)?.seq);
    let row = |table: &Table, fd| table.row(fd).cloned().ok_or(Surprise::Missing("socket"));
    let server = story.stage.table(story.server);
    let socket = row(&story.stage.table(client), fd)?;
    let listener = row(&server, story.listener)?;
    Ok(Facts { events, segments, syn, syn_ack, ack, syn_counts, socket, listener, server })
}

impl Show for Facts {
    const KEY: &'static str = "connect";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::Whole);
        page.say("numbers");
        page.say("port");
        page.say("waiting");
        page.table(&self.server);
    }
}
