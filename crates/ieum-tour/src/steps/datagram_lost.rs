//! A datagram is lost, and nobody sends it again.

use std::time::Duration;

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::{Numbers, Page};
use crate::event::{Event, Ms, frames};
use crate::steps::Show;
use crate::steps::datagrams::Talk;
use crate::steps::story::shown;
use crate::surprise::Surprise;

/// Longer than TCP would wait to send something again, many times.
const WAIT: Duration = Duration::from_secs(60);

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    events: Vec<Event>,
    /// Datagrams that the host took whole.
    sent: usize,
    received: Vec<String>,
    /// The datagram that reached nobody.
    lost: Event,
    /// How many did not.
    losses: usize,
    /// Packets that crossed the link, the time that passed afterwards included.
    frames: usize,
    waited_ms: Ms,
}

/// Executes the step.
pub(crate) fn run(talk: &mut Talk) -> Result<Facts, Surprise> {
    let Talk { stage, server, clients, socket } = talk;
    let (client, to) = (clients[0], stage.local_address(*server, *socket)?);
    let fd = stage.socket(client, Kind::Datagram)?;
    stage.take_events();
    stage.lose(client, 1);
    let mut sent = 0;
    for word in ["one", "two", "three"] {
        sent += usize::from(stage.send_to(client, fd, word.as_bytes(), to)? == word.len());
    }
    let begin = Ms(stage.now().micros());
    stage.rest(WAIT);
    let waited_ms = Ms(stage.now().micros()).since(begin);
    let mut received = Vec::new();
    while stage.readiness(*server, *socket).readable {
        received.push(shown(&stage.recv_from(*server, *socket)?.0));
    }
    let events = stage.take_events();
    let is_lost = |event: &&Event| event.frame().is_some_and(|frame| frame.lost);
    let lost = events.iter().find(is_lost).cloned().ok_or(Surprise::Missing("lost datagram"))?;
    let losses = frames(&events).filter(|frame| frame.lost).count();
    let frames = frames(&events).count();
    Ok(Facts { events, sent, received, lost, losses, frames, waited_ms })
}

impl Show for Facts {
    const KEY: &'static str = "datagram-lost";

    fn show(&self, page: &mut Page<'_>) {
        page.say("call");
        page.diagram(&["client-a", "server"], &self.events, Numbers::None);
        page.say("after");
    }
}
