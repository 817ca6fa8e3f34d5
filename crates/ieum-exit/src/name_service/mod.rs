//! Names: what the exit itself answers to who asks a resolver.
//!
//! Programs ask the machine's resolvers by DNS, and those questions cross the exit: over UDP and TCP, at the addresses
//! that the machine's resolv.conf names, or at the exit's own. Each plain question is looked at on its way:
//!
//! ```text
//!   question ─ a name that was given or told → answered here: A, AAAA, PTR; no data for other types
//!            ─ any other name below `.ieum`  → NXDOMAIN, and nobody else is asked
//!            ─ anything else                 → the machine's resolver, as it came; its answer goes back as it comes
//! ```
//!
//! Who asked the exit's own address is passed on to the machine's loopback, as every flow to it, and to the machine's
//! resolvers in turn when nobody is there. Where nobody at all can be asked, the answer is SERVFAIL.
//!
//! What it does not do: it remembers no answer of others, walks no referrals, and follows no search list (the program's
//! own resolver does). A program that finds names without DNS (the machine's /etc/hosts, which comes first, nscd,
//! systemd-resolved by its socket) does not come by here.
//!
//! Invariants:
//!
//! 1. What is no plain question passes unchanged.
//! 2. No answer of ours is longer than 512 bytes, so none is ever cut and asked for again over TCP.
//! 3. No question about a name below `.ieum` leaves the machine.
//!
//! Files: `named` what a person writes; `names` which names are ours; `message` questions and answers; `waiting`
//! questions that others are to answer; `conversation` and `conversations` questions over TCP. Those over UDP are the
//! business of `datagram`, one floor above.

use std::net::{IpAddr, SocketAddr};

use crate::resolv::{PORT, Resolvers};
use crate::target::Targets;

mod conversation;
mod conversations;
mod message;
mod named;
mod names;
mod waiting;

use message::{Answer, Question};
use names::{Meaning, Names};

pub(crate) use conversations::Conversations;
pub use named::{Named, NamedParseError};
pub(crate) use waiting::Waiting;

/// What becomes of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// This is the answer.
    Answered(Vec<u8>),
    /// Others are to be asked.
    Pass,
}

/// The names that are ours, and who is asked for all others.
#[derive(Debug)]
pub(crate) struct NameService {
    names: Names,
    resolvers: Resolvers,
}

impl NameService {
    /// Answers for `given` names; the machine's resolvers know all others.
    pub(crate) fn new(given: &[Named], resolvers: Resolvers) -> NameService {
        NameService { names: Names::new(given), resolvers }
    }

    /// A name means these addresses from now on; none: nobody has it any more.
    pub(crate) fn tell(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.names.tell(name, addresses);
    }

    /// Is this where questions are asked: one of the machine's resolvers, or port 53 of the exit?
    pub(crate) fn hears(&self, destination: SocketAddr, targets: &Targets) -> bool {
        self.resolvers.endpoints().contains(&destination)
            || (destination.port() == PORT && targets.is_own(destination.ip()))
    }

    /// What becomes of a message to a place where questions are asked.
    pub(crate) fn judge(&self, message: &[u8]) -> Verdict {
        let answer = Question::read(message).and_then(|question| self.answer(&question));
        answer.map_or(Verdict::Pass, Verdict::Answered)
    }

    /// How questions to `destination` are put to others. `None`: as any flow there; nobody else can be asked, and what
    /// becomes of it is told as it is.
    pub(crate) fn relays(&self, destination: SocketAddr, targets: &Targets) -> Option<Waiting> {
        let is_own = targets.is_own(destination.ip());
        let is_last_word = is_own || !self.resolvers.are_named() || !targets.outbound;
        let hears = is_last_word && self.hears(destination, targets);
        hears.then(|| Waiting::new(self.servers(destination, targets)))
    }

    /// Whom questions to `destination` are put to: who is there and, after the machine's own loopback, its resolvers.
    fn servers(&self, destination: SocketAddr, targets: &Targets) -> Vec<SocketAddr> {
        let mut servers: Vec<SocketAddr> = targets.of(destination).into_iter().collect();
        if targets.is_own(destination.ip()) && targets.outbound && self.resolvers.are_named() {
            let others = self.resolvers.endpoints().iter().filter(|resolver| !servers.contains(resolver));
            servers.extend(others.copied().collect::<Vec<_>>());
        }
        servers
    }

    fn answer(&self, question: &Question<'_>) -> Option<Vec<u8>> {
        match self.names.meaning(&question.name) {
            Meaning::Addresses(addresses) => question.answer(Answer::Addresses(addresses)),
            Meaning::Nobody => question.answer(Answer::NoSuchName),
            Meaning::Elsewhere => {
                let name = self.names.name_of(question.asked_address()?)?;
                question.answer(Answer::Pointer(name))
            }
        }
    }
}

/// The answer that nobody could be asked; `None` to what is no plain question.
pub(crate) fn failure(message: &[u8]) -> Option<Vec<u8>> {
    Question::read(message)?.answer(Answer::Failure)
}
