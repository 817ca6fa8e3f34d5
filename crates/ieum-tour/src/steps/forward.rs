//! A port forwarded: two connections, and a program between them that copies.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, only_frames};
use crate::stage::{Stage, Who};
use crate::steps::Show;
use crate::steps::story::{CALM, Connection, PORT, listening, shown};
use crate::surprise::Surprise;

/// Where the service really is.
const SERVICE: u16 = 8080;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// The ports, of the forwarder and of the service.
    from: u16,
    to: u16,
    /// Until both connections are there.
    opening: Vec<Event>,
    /// Both, as the forwarder's program has them.
    connections: Vec<Connection>,
    count: usize,
    /// Whom the server believes to talk to.
    server_sees: String,
    /// A question and its answer.
    copying: Vec<Event>,
    request: String,
    answer: String,
    /// Bytes copied in each direction.
    carried: [usize; 2],
    /// The end of the stream came through to the client.
    ended: bool,
}

/// The forwarder's loop: what can be read of one descriptor is written to the other, and so is the end.
struct Relay {
    who: Who,
    ways: [Way; 2],
}

struct Way {
    from: usize,
    to: usize,
    bytes: usize,
    is_over: bool,
}

impl Relay {
    /// One turn of the loop.
    fn turn(&mut self, stage: &mut Stage) -> Result<(), Surprise> {
        for way in &mut self.ways {
            while !way.is_over && stage.readiness(self.who, way.from).readable {
                let bytes = stage.read(self.who, way.from)?;
                way.bytes += bytes.len();
                way.is_over = bytes.is_empty();
                if way.is_over {
                    stage.shutdown(self.who, way.to)?;
                } else {
                    stage.write(self.who, way.to, &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Turns until another program has something to read.
    fn until_readable(&mut self, stage: &mut Stage, who: Who, fd: usize) -> Result<(), Surprise> {
        stage.until("forwarded bytes", |stage| match self.turn(stage) {
            Ok(()) => stage.readiness(who, fd).readable.then_some(Ok(())),
            Err(surprise) => Some(Err(surprise)),
        })?
    }
}

/// Executes the step.
pub(crate) fn run(seed: u64) -> Result<Facts, Surprise> {
    let mut stage = Stage::new(seed);
    let [client, forwarder, server] = ["client-a", "forwarder", "server"].map(|name| stage.host(name));
    let service = listening(&mut stage, server, SERVICE, 5)?;
    let door = listening(&mut stage, forwarder, PORT, 5)?;
    let (to_door, to_service) = (stage.at(forwarder, PORT), stage.at(server, SERVICE));
    let fd = stage.socket(client, Kind::Stream)?;
    stage.connect(client, fd, to_door)?;
    let (inner, _) = stage.accept(forwarder, door)?;
    let outer = stage.socket(forwarder, Kind::Stream)?;
    stage.connect(forwarder, outer, to_service)?;
    let (served, peer) = stage.accept(server, service)?;
    stage.rest(CALM);
    let opening = stage.take_events();
    let connections = Connection::all(&stage.table(forwarder));

    let way = |from, to| Way { from, to, bytes: 0, is_over: false };
    let mut relay = Relay { who: forwarder, ways: [way(inner, outer), way(outer, inner)] };
    stage.write(client, fd, b"GET / HTTP/1.0")?;
    relay.until_readable(&mut stage, server, served)?;
    let request = shown(&stage.read(server, served)?);
    stage.write(server, served, b"HTTP/1.0 200 OK")?;
    relay.until_readable(&mut stage, client, fd)?;
    let answer = shown(&stage.read(client, fd)?);
    let copying = stage.take_events();

    stage.close(server, served)?;
    relay.until_readable(&mut stage, client, fd)?;
    let ended = stage.read(client, fd)?.is_empty();
    let carried = [0, 1].map(|way| relay.ways[way].bytes);
    let server_sees = peer.to_string();
    let (from, to) = (to_door.port(), to_service.port());
    let count = connections.len();
    Ok(Facts { from, to, opening, connections, count, server_sees, copying, request, answer, carried, ended })
}

impl Show for Facts {
    const KEY: &'static str = "forward";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls_of("forwarder", &self.opening);
        let lines = self.connections.iter().map(|connection| {
            let Connection { fd, local, remote, .. } = connection;
            vec![fd.to_string(), local.clone(), remote.clone()]
        });
        page.grid("connections", &["fd", "local", "remote"], lines.collect());
        page.say("loop");
        page.calls_of("forwarder", &self.copying);
        page.diagram(&["client-a", "forwarder", "server"], &only_frames(&self.copying), Numbers::None);
        page.say("after");
    }
}
