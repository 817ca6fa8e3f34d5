//! The steps of the tour: each file executes one and holds its facts.
//!
//! In their order: `socket`, `bind`, `listen`, `connect`, `accept`, `clients`, `views`, `both_ways`, `segments`, `loss`,
//! `half_close`, `time_wait`, on the hosts of `story`; `datagrams`, `multicast`, `datagram_lost`; `ephemeral`; `shared_port`,
//! `refused`; `limit`; `backlog`; `forward`.

mod accept;
mod backlog;
mod bind;
mod both_ways;
mod clients;
mod connect;
mod datagram_lost;
mod datagrams;
mod ephemeral;
mod forward;
mod half_close;
mod limit;
mod listen;
mod loss;
mod multicast;
mod refused;
mod segments;
mod shared_port;
mod socket;
mod story;
mod time_wait;
mod views;

use serde::Serialize;
use serde_json::Value;

use crate::draw::Page;
use crate::surprise::Surprise;

/// What a step is to a page.
pub(crate) trait Show: Serialize {
    /// Its name, in the texts and in the facts.
    const KEY: &'static str;
    /// Writes its page.
    fn show(&self, page: &mut Page<'_>);
}

/// A step that was executed.
pub(crate) trait Step {
    fn key(&self) -> &'static str;
    fn facts(&self) -> Value;
    fn show(&self, page: &mut Page<'_>);
}

impl<T: Show> Step for T {
    fn key(&self) -> &'static str {
        T::KEY
    }
    fn facts(&self) -> Value {
        serde_json::to_value(self).expect("facts are numbers, texts and lists of them")
    }
    fn show(&self, page: &mut Page<'_>) {
        Show::show(self, page);
    }
}

/// All steps, executed.
pub(crate) fn all(seed: u64) -> Result<Vec<Box<dyn Step>>, Surprise> {
    let mut steps = streams(seed)?;
    steps.extend(others(seed)?);
    Ok(steps)
}

/// One server, three clients: from the first socket to the end of a connection.
fn streams(seed: u64) -> Result<Vec<Box<dyn Step>>, Surprise> {
    let mut story = story::Story::new(seed);
    let steps: Vec<Box<dyn Step>> = vec![
        Box::new(socket::run(&mut story)?),
        Box::new(bind::run(&mut story)?),
        Box::new(listen::run(&mut story)?),
        Box::new(connect::run(&mut story)?),
        Box::new(accept::run(&mut story)?),
        Box::new(clients::run(&mut story)?),
        Box::new(views::run(&mut story)?),
        Box::new(both_ways::run(&mut story)?),
        Box::new(segments::run(&mut story)?),
        Box::new(loss::run(&mut story)?),
        Box::new(half_close::run(&mut story)?),
        Box::new(time_wait::run(&mut story)?),
    ];
    story.stage.check();
    Ok(steps)
}

/// Datagrams, ports, limits, forwarding: each on hosts of its own, which have seeds of their own.
fn others(seed: u64) -> Result<Vec<Box<dyn Step>>, Surprise> {
    let (mut talk, datagrams) = datagrams::run(seed.wrapping_add(1))?;
    let (multicast, lost) = (multicast::run(&mut talk)?, datagram_lost::run(&mut talk)?);
    talk.stage.check();
    let ephemeral = ephemeral::run(seed.wrapping_add(2))?;
    let (mut narrow, shared_port) = shared_port::run(seed.wrapping_add(3))?;
    let refused = refused::run(&mut narrow)?;
    narrow.stage.check();
    Ok(vec![
        Box::new(datagrams),
        Box::new(multicast),
        Box::new(lost),
        Box::new(ephemeral),
        Box::new(shared_port),
        Box::new(refused),
        Box::new(limit::run(seed.wrapping_add(4))?),
        Box::new(backlog::run(seed.wrapping_add(5))?),
        Box::new(forward::run(seed.wrapping_add(6))?),
    ])
}
