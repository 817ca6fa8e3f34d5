//! UDP: no connection, one socket for everybody, and each datagram says who sent it.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, frames, only_frames};
use crate::stage::{Stage, Who};
use crate::steps::Show;
use crate::steps::story::{CALM, shown};
use crate::surprise::Surprise;
use crate::table::Table;

/// The hosts of the steps with datagrams.
pub(crate) struct Talk {
    pub(crate) stage: Stage,
    pub(crate) server: Who,
    pub(crate) clients: [Who; 3],
    /// The server's socket.
    pub(crate) socket: usize,
}

/// The server's port.
const PORT: u16 = 7000;

/// What it answers.
const ANSWER: &[u8] = b"hello back";

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    received: Vec<Received>,
    /// Datagrams that the hosts took whole, and packets that crossed the link for it.
    sent: usize,
    frames: usize,
    table: Table,
}

#[derive(Debug, Serialize)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) text: String,
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<(Talk, Facts), Surprise> {
    let mut stage = Stage::new(seed);
    let server = stage.host("server");
    let clients = ["client-a", "client-b", "client-c"].map(|name| stage.host(name));
    let address = stage.at(server, PORT);
    let socket = stage.socket(server, Kind::Datagram)?;
    stage.bind(server, socket, address)?;
    let mut sent = 0;
    for (client, word) in [(clients[0], "hello from A"), (clients[1], "hello from B")] {
        let fd = stage.socket(client, Kind::Datagram)?;
        sent += usize::from(stage.send_to(client, fd, word.as_bytes(), address)? == word.len());
    }
    let mut received = Vec::new();
    for _ in 0..2 {
        let (bytes, from) = stage.recv_from(server, socket)?;
        received.push(Received { from: from.to_string(), text: shown(&bytes) });
        sent += usize::from(stage.send_to(server, socket, ANSWER, from)? == ANSWER.len());
    }
    stage.rest(CALM);
    let events = stage.take_events();
    let frames = frames(&events).count();
    let table = stage.table(server);
    Ok((Talk { stage, server, clients, socket }, Facts { events, received, sent, frames, table }))
}

impl Show for Facts {
    const KEY: &'static str = "datagrams";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.diagram(&["client-a", "server", "client-b"], &only_frames(&self.events), Numbers::None);
        page.say("from");
        page.say("after");
        page.table(&self.table);
    }
}
