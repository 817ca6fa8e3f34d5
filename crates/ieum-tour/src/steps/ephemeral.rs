//! The port that is chosen for who names none.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::stage::Stage;
use crate::steps::Show;
use crate::steps::story::{PORT, listening};
use crate::surprise::Surprise;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// First and last of the ports that are chosen from.
    range: [u16; 2],
    events: Vec<Event>,
    /// The first socket's name before it connects, and after.
    before: String,
    after: String,
    /// What each of the sockets was given.
    ports: Vec<u16>,
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<Facts, Surprise> {
    let mut stage = Stage::new(seed);
    let (server, client) = (stage.host("server"), stage.host("client-a"));
    listening(&mut stage, server, PORT, 5)?;
    let to = stage.at(server, PORT);
    stage.take_events();
    let first = stage.socket(client, Kind::Stream)?;
    let before = stage.local_address(client, first)?.to_string();
    stage.connect(client, first, to)?;
    let name = stage.local_address(client, first)?;
    let (after, mut ports) = (name.to_string(), vec![name.port()]);
    for _ in 0..2 {
        let fd = stage.socket(client, Kind::Stream)?;
        stage.connect(client, fd, to)?;
        ports.push(stage.local_address(client, fd)?.port());
    }
    let events = stage.take_events();
    Ok(Facts { range: stage.ephemeral_ports(client), events, before, after, ports })
}

impl Show for Facts {
    const KEY: &'static str = "ephemeral";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.say("after");
    }
}
