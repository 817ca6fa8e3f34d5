//! One datagram to many: a group (RFC 1112).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, frames, only_frames};
use crate::frame::Carries;
use crate::steps::Show;
use crate::steps::datagrams::Talk;
use crate::steps::story::{CALM, shown};
use crate::surprise::Surprise;

const GROUP: [u8; 4] = [239, 1, 2, 3];
const PORT: u16 = 5000;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    group: String,
    /// How the hosts prepared, and what they told the link of it.
    joining: Vec<Event>,
    events: Vec<Event>,
    /// How often the datagram crossed the link.
    frames: usize,
    heard: Vec<Heard>,
    /// How many heard it.
    hearers: usize,
    /// How many joined, and how many have the port alone.
    members: usize,
    others: usize,
}

/// What a host's program found.
#[derive(Debug, Serialize)]
struct Heard {
    host: &'static str,
    joined: bool,
    text: Option<String>,
}

/// Executes the step.
pub(crate) fn run(talk: &mut Talk) -> Result<Facts, Surprise> {
    let Talk { stage, server, clients, socket } = talk;
    let group = SocketAddr::from((GROUP, PORT));
    let mut sockets = Vec::new();
    for client in *clients {
        let fd = stage.socket(client, Kind::Datagram)?;
        stage.bind(client, fd, SocketAddr::from(([0; 4], PORT)))?;
        sockets.push(fd);
    }
    let mut joined = BTreeSet::new();
    for (client, fd) in clients[..2].iter().zip(&sockets) {
        stage.join(*client, *fd, GROUP)?;
        joined.insert(*client);
    }
    // Routers are told twice, the second time within a second (RFC 3376 §5.1).
    stage.rest(std::time::Duration::from_secs(2));
    let joining = stage.take_events();
    stage.send_to(*server, *socket, b"to all of you", group)?;
    stage.rest(CALM);
    let mut heard = Vec::new();
    for (client, fd) in clients.iter().zip(&sockets) {
        let has = stage.readiness(*client, *fd).readable;
        let text = if has { Some(shown(&stage.recv_from(*client, *fd)?.0)) } else { None };
        heard.push(Heard { host: stage.name(*client), joined: joined.contains(client), text });
    }
    let events = stage.take_events();
    let frames = frames(&events).filter(|frame| matches!(frame.carries, Carries::Udp)).count();
    let hearers = heard.iter().filter(|heard| heard.text.is_some()).count();
    let members = heard.iter().filter(|heard| heard.joined).count();
    let others = heard.len() - members;
    Ok(Facts { group: group.to_string(), joining, events, frames, heard, hearers, members, others })
}

impl Show for Facts {
    const KEY: &'static str = "multicast";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.calls(&self.joining);
        page.say("sent");
        page.calls(&self.events);
        page.diagram(
            &["server", "client-a", "client-b", "client-c"],
            &only_frames(&self.events),
            Numbers::None,
        );
        page.say("after");
        let [yes, no] = ["yes", "no"].map(|word| page.word(word));
        let line = |heard: &Heard| {
            let joined = if heard.joined { &yes } else { &no };
            let text = heard.text.as_ref().map_or_else(|| "-".to_owned(), |text| format!("\"{text}\""));
            vec![page.host(heard.host), joined.clone(), text]
        };
        let lines = self.heard.iter().map(line).collect();
        page.grid("hearers", &["host", "member", "read"], lines);
    }
}
