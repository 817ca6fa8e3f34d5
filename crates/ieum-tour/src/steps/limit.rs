//! The limit of descriptors: accept is refused, and the server lives on.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::stage::Stage;
use crate::steps::Show;
use crate::steps::story::{CALM, PORT, listening, refusal, shown};
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// Descriptors that the server may have.
const LIMIT: usize = 6;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// As the table has it.
    limit: usize,
    /// Those who connected.
    clients: usize,
    /// Until the table is full.
    filling: Vec<Event>,
    errno: String,
    full: Table,
    /// The connection that waits for a descriptor.
    waiting: Row,
    /// What the server does meanwhile, and then.
    living: Vec<Event>,
    /// What it answered, and on which descriptor.
    answered: usize,
    answer: String,
    /// The number that became free, and was given again.
    freed: usize,
    fd: usize,
    peer: String,
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<Facts, Surprise> {
    let mut stage = Stage::new(seed);
    let server = stage.host("server");
    let clients = ["client-a", "client-b", "client-c"].map(|name| stage.host(name));
    let to = stage.at(server, PORT);
    stage.limit_descriptors(server, LIMIT)?;
    let listener = listening(&mut stage, server, PORT, 5)?;
    let mut ends = Vec::new();
    for client in clients {
        let fd = stage.socket(client, Kind::Stream)?;
        stage.connect(client, fd, to)?;
        ends.push(fd);
    }
    let (one, _) = stage.accept(server, listener)?;
    let (two, _) = stage.accept(server, listener)?;
    let errno = refusal(stage.accept(server, listener))?;
    stage.rest(CALM);
    let filling = stage.take_events();
    let full = stage.table(server);
    let limit = stage.descriptors(server).limit();
    let waiting = full.without_descriptor.first().cloned().ok_or(Surprise::Missing("waiting connection"))?;

    stage.write(clients[0], ends[0], b"are you alive?")?;
    stage.read(server, one)?;
    stage.write(server, one, b"I am")?;
    let answer = shown(&stage.read(clients[0], ends[0])?);
    stage.close(server, two)?;
    let (fd, peer) = stage.accept(server, listener)?;
    let living = stage.take_events();
    let peer = peer.to_string();
    Ok(Facts {
        limit,
        clients: ends.len(),
        filling,
        errno,
        full,
        waiting,
        living,
        answered: one,
        answer,
        freed: two,
        fd,
        peer,
    })
}

impl Show for Facts {
    const KEY: &'static str = "limit";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls_of("server", &self.filling);
        page.say("full");
        page.table(&self.full);
        page.say("living");
        page.calls_of("server", &self.living);
        page.say("after");
    }
}
