//! `connect`.

use ieum_socket::Wait;

use super::value::Value;
use super::{Asked, Progress};
use crate::run::Runner;
use crate::run::flow::State;
use crate::stop::Stop;

impl Runner<'_> {
    pub(super) fn connect(&mut self, asked: &Asked<'_>, wait: &mut Wait) -> Result<Progress, Stop> {
        asked.arguments.must_be(3)?;
        let (number, id) = self.socket_at(asked, 0)?;
        let address = asked.arguments.get(1)?;
        let dissolves =
            !matches!(address, Value::Any | Value::Struct(_)) && address.int()? == libc::AF_UNSPEC;
        if !wait.begun {
            self.connecting(number, dissolves)?;
        }
        let address = self.config.as_named(self.config.remote());
        let (now, blocks) = (self.machine.now(), self.blocks(number)?);
        let address = (!dissolves).then_some(address);
        let answer = self.machine.host.connect_waiting(now, id, address, blocks, wait);
        asked.when_done(answer.map(|answer| answer.map(|()| 0)))
    }

    /// A socket is about to connect, or a datagram to be sent: packets of its flow will show its own address.
    pub(super) fn connecting(&mut self, number: i32, dissolves: bool) -> Result<(), Stop> {
        let remote = self.config.remote();
        let flow = self.table.flow(number)?.and_then(|flow| self.flows.get_mut(flow));
        let Some(flow) = flow else { return Ok(()) };
        if dissolves {
            flow.state = State::New;
        } else if flow.state == State::New {
            flow.state = State::Connecting;
            flow.local = None;
            flow.remote = Some(remote);
        }
        Ok(())
    }
}
