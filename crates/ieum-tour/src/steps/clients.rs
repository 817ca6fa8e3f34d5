//! A second and a third client come to the same port.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::steps::Show;
use crate::steps::story::{Connection, Story};
use crate::surprise::Surprise;
use crate::table::Table;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    table: Table,
    connections: Vec<Connection>,
    /// Clients of all these connections, and how many came in this step.
    clients: usize,
    more: usize,
    /// The server's port in all of them.
    port: u16,
}

/// Executes the step.
pub(crate) fn run(story: &mut Story) -> Result<Facts, Surprise> {
    let to = story.address();
    let mut more = 0;
    for client in [story.clients[1], story.clients[2]] {
        let fd = story.stage.socket(client, Kind::Stream)?;
        story.theirs.push(fd);
        story.stage.connect(client, fd, to)?;
        let (fd, _) = story.stage.accept(story.server, story.listener)?;
        story.ours.push(fd);
        more += 1;
    }
    let events = story.events();
    let table = story.stage.table(story.server);
    let connections = Connection::all(&table);
    let remotes: BTreeSet<&String> = connections.iter().map(|connection| &connection.remote).collect();
    let local = table.row(story.listener).and_then(|row| row.local.as_ref()?.parse::<SocketAddr>().ok());
    let (clients, port) = (remotes.len(), local.ok_or(Surprise::Missing("listener"))?.port());
    Ok(Facts { events, table, connections, clients, more, port })
}

impl Show for Facts {
    const KEY: &'static str = "clients";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.events);
        page.say("tuples");
        let lines = self.connections.iter();
        let lines = lines.map(|connection| {
            let Connection { fd, protocol, local, remote, .. } = connection;
            let ends = [local, remote].into_iter().flat_map(|end| end.rsplit_once(':'));
            let ends = ends.flat_map(|(address, port)| [address.to_owned(), port.to_owned()]);
            [fd.to_string(), (*protocol).to_owned()].into_iter().chain(ends).collect()
        });
        page.grid(
            "tuples",
            &["fd", "protocol", "local-address", "port", "remote-address", "port"],
            lines.collect(),
        );
        page.say("after");
    }
}
