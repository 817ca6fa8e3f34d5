//! The same 4-tuple a second time is refused, whoever chooses the port.

use ieum_socket::Kind;
use serde::Serialize;

use crate::draw::Page;
use crate::event::Event;
use crate::steps::Show;
use crate::steps::shared_port::Narrow;
use crate::steps::story::{PORT, refusal};
use crate::surprise::Surprise;

/// A port that the client names itself, outside of those that are chosen from.
const NAMED: u16 = 50_000;

/// What the step has read.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// The host is to choose, and has no port left for that remote.
    chosen: Refused,
    /// The program chooses.
    named: Named,
}

#[derive(Debug, Serialize)]
struct Refused {
    events: Vec<Event>,
    remote: String,
    errno: String,
}

#[derive(Debug, Serialize)]
struct Named {
    events: Vec<Event>,
    local: String,
    /// bind without SO_REUSEADDR.
    bind_errno: String,
    /// connect to the remote to which there is a connection.
    connect_errno: String,
    /// The remote to which there was none.
    other: String,
}

/// Executes the step.
pub(crate) fn run(narrow: &mut Narrow) -> Result<Facts, Surprise> {
    Ok(Facts { chosen: chosen(narrow)?, named: named(narrow)? })
}

fn chosen(narrow: &mut Narrow) -> Result<Refused, Surprise> {
    let Narrow { stage, client, servers } = narrow;
    let remote = stage.at(servers[0], PORT);
    let fd = stage.socket(*client, Kind::Stream)?;
    let errno = refusal(stage.connect(*client, fd, remote))?;
    stage.close(*client, fd)?;
    Ok(Refused { events: stage.take_events(), remote: remote.to_string(), errno })
}

fn named(narrow: &mut Narrow) -> Result<Named, Surprise> {
    let Narrow { stage, client, servers } = narrow;
    let (remote, other) = (stage.at(servers[0], PORT), stage.at(servers[1], PORT));
    let local = stage.at(*client, NAMED);
    let one = stage.socket(*client, Kind::Stream)?;
    stage.reuse_address(*client, one)?;
    stage.bind(*client, one, local)?;
    stage.connect(*client, one, remote)?;
    let two = stage.socket(*client, Kind::Stream)?;
    let bind_errno = refusal(stage.bind(*client, two, local))?;
    stage.reuse_address(*client, two)?;
    stage.bind(*client, two, local)?;
    let connect_errno = refusal(stage.connect(*client, two, remote))?;
    stage.connect(*client, two, other)?;
    let events = stage.take_events();
    Ok(Named { events, local: local.to_string(), bind_errno, connect_errno, other: other.to_string() })
}

impl Show for Facts {
    const KEY: &'static str = "refused";

    fn show(&self, page: &mut Page<'_>) {
        page.say("chosen");
        page.calls(&self.chosen.events);
        page.say("named");
        page.calls(&self.named.events);
        page.say("after");
    }
}
