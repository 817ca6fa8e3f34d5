//! The two views of a socket: the protocol's, a pair of ends, and the programmer's, a descriptor; and how one leads to the other.

use std::collections::BTreeSet;

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::{Event, frames};
use crate::stage::Who;
use crate::steps::Show;
use crate::steps::story::{Connection, PORT, Story, shown};
use crate::surprise::Surprise;
use crate::table::Row;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// The server's listening socket.
    listener: Row,
    /// Its connections.
    connections: Vec<Connection>,
    /// What came to which descriptor.
    segments: Vec<Arrival>,
    /// A UDP socket at the same port.
    datagram_socket: Row,
    datagrams: Vec<Arrival>,
    /// How many sent them.
    senders: usize,
}

/// A packet with data that came to the server, and the descriptor at which the program found it.
#[derive(Debug, Serialize)]
struct Arrival {
    source: String,
    destination: String,
    fd: usize,
    text: String,
}

/// What each client says.
const WORDS: [&str; 3] = ["A speaks", "B speaks", "C speaks"];

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let mut segments = Vec::new();
    for ((client, fd), word) in story.clients.into_iter().zip(story.theirs.clone()).zip(WORDS) {
        story.stage.write(client, fd, word.as_bytes())?;
        let fd = ready(story)?;
        let bytes = story.stage.read(story.server, fd)?;
        segments.push(arrival(story, fd, &bytes)?);
    }
    let (server, port) = (story.server, story.stage.at(story.server, PORT));
    let socket = story.stage.socket(server, Kind::Datagram)?;
    story.stage.bind(server, socket, port)?;
    let mut datagrams = Vec::new();
    for (client, word) in story.clients.into_iter().zip(WORDS) {
        let fd = story.stage.socket(client, Kind::Datagram)?;
        story.stage.send_to(client, fd, word.as_bytes(), port)?;
        let ready = ready(story)?;
        let (bytes, _) = story.stage.recv_from(server, ready)?;
        datagrams.push(arrival(story, ready, &bytes)?);
        story.stage.close(client, fd)?;
    }
    let table = story.stage.table(server);
    let row = |fd| table.row(fd).cloned().ok_or(Surprise::Missing("socket"));
    let (listener, datagram_socket) = (row(story.listener)?, row(socket)?);
    let mut connections = Connection::all(&table);
    connections.retain(|connection| connection.protocol == "tcp");
    story.stage.close(server, socket)?;
    let senders = datagrams.iter().map(|datagram| &datagram.source).collect::<BTreeSet<_>>().len();
    let events = story.events();
    Ok(Facts { events, listener, connections, segments, datagram_socket, datagrams, senders })
}

/// Waits until one of the server's sockets has something to read: poll(2) over all of them.
fn ready(story: &mut Story) -> Result<usize, Surprise> {
    let server: Who = story.server;
    story.stage.until("something to read", |stage| {
        let numbers: Vec<usize> = stage.descriptors(server).iter().map(|(fd, _)| fd).collect();
        numbers.into_iter().find(|fd| stage.readiness(server, *fd).readable)
    })
}

/// The packet that crossed the link last with data, and where it was found.
fn arrival(story: &mut Story, fd: usize, bytes: &[u8]) -> Result<Arrival, Surprise> {
    let frame = frames(story.stage.events()).filter(|frame| frame.bytes > 0).last();
    let frame = frame.ok_or(Surprise::Missing("data"))?;
    let (source, destination) = (frame.source.clone(), frame.destination.clone());
    Ok(Arrival { source, destination, fd, text: shown(bytes) })
}

impl Show for Facts {
    const KEY: &'static str = "views";

    fn show(&self, page: &mut Page<'_>) {
        page.say("both");
        let anybody = page.word("anybody");
        let first = vec![
            self.listener.local.clone().unwrap_or_default(),
            anybody.clone(),
            self.listener.state.to_owned(),
            format!("fd {}", self.listener.fd.unwrap_or_default()),
        ];
        let lines = self.connections.iter().map(|connection| {
            let Connection { fd, state, local, remote, .. } = connection;
            vec![local.clone(), remote.clone(), (*state).to_owned(), format!("fd {fd}")]
        });
        page.grid(
            "views",
            &["this-end", "other-end", "state", "program"],
            std::iter::once(first).chain(lines).collect(),
        );
        page.say("found");
        page.grid("segments", &["source", "destination", "found", "read"], arrivals(&self.segments));
        page.say("datagrams");
        page.grid("datagrams", &["source", "destination", "found", "read"], arrivals(&self.datagrams));
    }
}

fn arrivals(arrivals: &[Arrival]) -> Vec<Vec<String>> {
    let line = |arrival: &Arrival| {
        let Arrival { source, destination, fd, text } = arrival;
        vec![source.clone(), destination.clone(), format!("fd {fd}"), format!("\"{text}\"")]
    };
    arrivals.iter().map(line).collect()
}
