//! More connections than ports: local addresses may be shared when remotes differ.

use std::collections::{BTreeMap, BTreeSet};

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::stage::{Stage, Who};
use crate::steps::Show;
use crate::steps::story::{Connection, PORT, listening};
use crate::surprise::Surprise;

/// A client whose host has two ports to choose from, and three servers.
pub(crate) struct Narrow {
    pub(crate) stage: Stage,
    pub(crate) client: Who,
    pub(crate) servers: [Who; 3],
}

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// First and last of the ports that the client's host chooses from.
    range: [u16; 2],
    /// Different remotes of the connections, and how many connections each has.
    remotes: usize,
    times: usize,
    connections: Vec<Connection>,
    /// The different local addresses among them.
    locals: Vec<String>,
    /// How many ports they have.
    ports: usize,
    /// How many there are, and on how many a question was answered.
    made: usize,
    worked: usize,
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<(Narrow, Facts), Surprise> {
    let mut stage = Stage::new(seed);
    let servers = ["server-a", "server-b", "server-c"].map(|name| stage.host(name));
    let client = stage.host_like("client-a", |config| config.ephemeral_ports = 40_000..=40_001);
    let listeners = servers.map(|server| listening(&mut stage, server, PORT, 5));
    let mut ends = Vec::new();
    for _ in 0..2 {
        for (server, listener) in servers.into_iter().zip(listeners.clone()) {
            let (fd, to) = (stage.socket(client, Kind::Stream)?, stage.at(server, PORT));
            stage.connect(client, fd, to)?;
            ends.push((fd, server, stage.accept(server, listener?)?.0));
        }
    }
    let mut worked = 0;
    for (fd, server, other) in &ends {
        stage.write(client, *fd, format!("for {fd}").as_bytes())?;
        let asked = stage.read(*server, *other)?;
        stage.write(*server, *other, &asked)?;
        worked += usize::from(stage.read(client, *fd)? == format!("for {fd}").as_bytes());
    }
    stage.take_events();
    let connections = Connection::all(&stage.table(client));
    let locals: BTreeSet<&String> = connections.iter().map(|connection| &connection.local).collect();
    let locals: Vec<String> = locals.into_iter().cloned().collect();
    let (range, ports, made) = (stage.ephemeral_ports(client), locals.len(), connections.len());
    let mut by_remote = BTreeMap::<&String, usize>::new();
    connections.iter().for_each(|connection| *by_remote.entry(&connection.remote).or_default() += 1);
    let (remotes, times) = (by_remote.len(), by_remote.values().copied().min().unwrap_or_default());
    let facts = Facts { range, remotes, times, connections, locals, ports, made, worked };
    Ok((Narrow { stage, client, servers }, facts))
}

impl Show for Facts {
    const KEY: &'static str = "shared-port";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        let lines = self.connections.iter().map(|connection| {
            let Connection { fd, local, remote, .. } = connection;
            vec![fd.to_string(), local.clone(), remote.clone()]
        });
        page.grid("connections", &["fd", "local", "remote"], lines.collect());
        page.say("after");
    }
}
