//! A full queue: whoever knocks is not answered, and knocks again.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, Ms};
use crate::stage::{Stage, Who};
use crate::steps::Show;
use crate::steps::story::{CALM, PORT, listening};
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// Connections that may wait, less one.
const BACKLOG: i32 = 1;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// Clients come, so many of whom are connected.
    filling: Vec<Event>,
    connected: usize,
    /// The listening socket then.
    listener: Row,
    table: Table,
    /// Another one comes.
    events: Vec<Event>,
    /// When it sent its SYNs.
    syn_at_ms: Vec<Ms>,
    /// How many of them the server's host dropped, and why.
    dropped: u64,
    reason: &'static str,
    /// When it was connected.
    connected_at_ms: Ms,
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<Facts, Surprise> {
    let mut stage = Stage::new(seed);
    let server = stage.host("server");
    let clients = ["client-a", "client-b", "client-c"].map(|name| stage.host(name));
    let to = stage.at(server, PORT);
    let fd = listening(&mut stage, server, PORT, BACKLOG)?;
    for client in &clients[..2] {
        let fd = stage.socket(*client, Kind::Stream)?;
        stage.connect(*client, fd, to)?;
    }
    stage.rest(CALM);
    let filling = stage.take_events();
    let table = stage.table(server);
    let connected = table.without_descriptor.len();
    let listener = table.row(fd).cloned().ok_or(Surprise::Missing("socket"))?;

    let late = stage.socket(clients[2], Kind::Stream)?;
    stage.take_events();
    let pending = stage.connect_begin(clients[2], late, to)?;
    let name = stage.name(clients[2]);
    stage.until("a second SYN", |stage| (syns(stage.events(), name).len() == 2).then_some(()))?;
    // It must have arrived before there is room.
    stage.rest(CALM);
    let (reason, dropped) = dropped(&stage, server).ok_or(Surprise::Missing("dropped SYN"))?;
    stage.accept(server, fd)?;
    stage.connect_end(pending)?;
    stage.rest(CALM);
    let events = stage.take_events();
    let syn_at_ms = syns(&events, name);
    let is_return = |event: &&Event| matches!(event.what, crate::event::What::Return(_));
    let returned = events.iter().find(is_return).ok_or(Surprise::Missing("connection"))?;
    let connected_at_ms = returned.at_ms;
    Ok(Facts { filling, connected, listener, table, events, syn_at_ms, dropped, reason, connected_at_ms })
}

/// When a host sent SYNs.
fn syns(events: &[Event], host: &str) -> Vec<Ms> {
    let is_syn = |event: &&Event| {
        let frame = event.frame().filter(|frame| frame.from == host);
        frame.and_then(|frame| frame.segment()).is_some_and(|segment| segment.flags == "SYN")
    };
    events.iter().filter(is_syn).map(|event| event.at_ms).collect()
}

/// What the host dropped for want of room in a listener's queue.
fn dropped(stage: &Stage, who: Who) -> Option<(&'static str, u64)> {
    stage.inside(who).stack().drops().into_iter().find(|(reason, _)| reason.contains("queue full"))
}

impl Show for Facts {
    const KEY: &'static str = "backlog";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls_of("server", &self.filling);
        page.table(&self.table);
        page.say("full");
        page.diagram(&["client-c", "server"], &self.events, Numbers::Relative);
        page.say("after");
    }
}
