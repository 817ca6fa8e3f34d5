//! The host's side: who calls, and what becomes of it.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use ieum_control::{Channel, Listener, Name, Received};
use ieum_engine::{Interest, Turn};

use super::{Answer, Request, Row};
use crate::access::{Access, is_process};
use crate::bounds::{CALLS_PER_TURN_MAX, ROWS_PER_MESSAGE, TALKERS_MAX};
use crate::runner::{LEVEL, Runner, Source};
use crate::sys;
use crate::tree::TreeId;

/// Where others of the user reach a host.
#[derive(Debug)]
pub(crate) struct Desk {
    listener: Listener,
    /// It takes programs; without a name it only shows its sockets.
    name: Option<Name>,
    talkers: BTreeMap<u64, Talker>,
    last: u64,
}

/// A process that talks to the host.
#[derive(Debug)]
struct Talker {
    channel: Channel,
    role: Role,
    /// Sockets that it has asked for and not been told of yet.
    rows: VecDeque<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// It looks.
    Visitor,
    /// It was told that its program may run here.
    Expected(Stay),
    /// Its program runs here.
    Host(TreeId, Stay),
}

/// Whether a guest keeps the host alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stay {
    Keeps,
    Attends,
}

impl Role {
    fn keeps_the_host(self) -> bool {
        matches!(self, Role::Expected(Stay::Keeps) | Role::Host(_, Stay::Keeps))
    }
}

/// New callers are told of once each: while there are no descriptors for one, this process does not spin. Those that one
/// call of accept leaves behind are asked for anew.
const CALLERS: Interest = Interest { read: true, write: false, edge: true };

impl Desk {
    pub(crate) fn new(listener: Listener, name: Option<Name>) -> Desk {
        Desk { listener, name, talkers: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn start(&self, turn: &Turn<'_>) -> std::io::Result<()> {
        turn.watch(self.listener.as_fd(), Source::Desk.key(), CALLERS)
    }

    /// Programs of others run here, or are about to, for whose sake the host goes on.
    pub(crate) fn has_guests(&self) -> bool {
        self.talkers.values().any(|talker| talker.role.keeps_the_host())
    }
}

impl Runner {
    /// Others of the user reach this host through `listener`. With a name, which is the listener's, it takes programs.
    pub fn open_desk(&mut self, listener: Listener, name: Option<Name>) {
        self.desk = Some(Desk::new(listener, name));
    }

    pub(crate) fn on_callers(&mut self, turn: &Turn<'_>) {
        let Some(desk) = &mut self.desk else { return };
        loop {
            let channel = match desk.listener.accept() {
                Ok(Some(channel)) => channel,
                // Nobody is there, or so many strangers that the rest has to wait for the next turn.
                Ok(None) => {
                    let _ = turn.rewatch(desk.listener.as_fd(), Source::Desk.key(), CALLERS);
                    return;
                }
                // No descriptor is left for one: they are looked for again, since no edge tells of those who wait already.
                Err(_) => return self.sweep_later(turn.now),
            };
            desk.last += 1;
            let source = Source::Talker(desk.last);
            // Who is not watched is hung up on.
            if desk.talkers.len() < TALKERS_MAX && turn.watch(channel.as_fd(), source.key(), LEVEL).is_ok() {
                let talker = Talker { channel, role: Role::Visitor, rows: VecDeque::new() };
                desk.talkers.insert(desk.last, talker);
            }
        }
    }

    pub(crate) fn on_talker(&mut self, turn: &Turn<'_>, number: u64) {
        for _ in 0..CALLS_PER_TURN_MAX {
            let Some(talker) = self.talker(number) else { return };
            let understood = match talker.channel.receive::<Request>() {
                Ok(Received::Message(request, descriptors)) => self.hear(turn, number, &request, descriptors),
                Ok(Received::Nothing) => return,
                Ok(Received::End) | Err(_) => None,
            };
            if understood.is_none() {
                return self.hang_up(turn, number);
            }
        }
    }

    /// `None`: nothing more is to be said.
    fn hear(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        request: &Request,
        descriptors: Vec<OwnedFd>,
    ) -> Option<()> {
        let answer = match request {
            Request::Enter => self.admit(number, Stay::Keeps)?,
            Request::Attend => self.admit(number, Stay::Attends)?,
            Request::Serve { first, through } => {
                return self.take_tree(turn, number, *first, *through, descriptors);
            }
            Request::Sockets => {
                let rows = self.rows(turn);
                self.talker(number)?.rows = rows.into();
                self.next_rows(number)?
            }
            Request::More => self.next_rows(number)?,
            Request::Drops => {
                let counts = self.drops();
                Answer::Drops {
                    counts: counts.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
                }
            }
        };
        self.talker(number)?.channel.send(&answer, &[]).ok()
    }

    fn admit(&mut self, number: u64, stay: Stay) -> Option<Answer> {
        let desk = self.desk.as_mut()?;
        let talker = desk.talkers.get_mut(&number)?;
        if desk.name.is_none() {
            let sentence = "this host takes no programs: start it with --name NAME".to_owned();
            return Some(Answer::Refused { sentence });
        }
        if talker.channel.peer_pid().is_none() {
            let sentence = "this host cannot see processes of another pid namespace".to_owned();
            return Some(Answer::Refused { sentence });
        }
        talker.role = Role::Expected(stay);
        Some(Answer::Welcome { native_datagrams: self.namespace.is_some() })
    }

    fn take_tree(
        &mut self,
        turn: &Turn<'_>,
        number: u64,
        first: i32,
        through: bool,
        descriptors: Vec<OwnedFd>,
    ) -> Option<()> {
        let [listener, wishes] = <[OwnedFd; 2]>::try_from(descriptors).ok()?;
        let talker = self.talker(number)?;
        let root = is_process(i32::try_from(talker.channel.peer_pid()?).ok()?)?;
        let Role::Expected(stay) = talker.role else { return None };
        if !sys::is_listener(listener.as_fd()) {
            return None;
        }
        let access = Access::to_guest(first, Channel::from(wishes), through);
        let tree = self.trees.add(listener, access, root);
        self.talker(number)?.role = Role::Host(tree, stay);
        turn.watch(self.trees.fd(tree)?, Source::Calls(tree).key(), LEVEL).ok()
    }

    fn next_rows(&mut self, number: u64) -> Option<Answer> {
        let rows = &mut self.talker(number)?.rows;
        let part: Vec<Row> = rows.drain(..rows.len().min(ROWS_PER_MESSAGE)).collect();
        Some(Answer::Sockets { rows: part, more: !rows.is_empty() })
    }

    fn talker(&mut self, number: u64) -> Option<&mut Talker> {
        self.desk.as_mut()?.talkers.get_mut(&number)
    }

    /// The conversation is over, and with it the guest.
    fn hang_up(&mut self, turn: &Turn<'_>, number: u64) {
        let talker = self.desk.as_mut().and_then(|desk| desk.talkers.remove(&number));
        if let Some(Talker { role: Role::Host(tree, _), .. }) = talker {
            self.give_up_tree(turn, tree);
        }
        self.notice_end(turn);
    }

    /// Every guest is told to go: somebody wants this process to end.
    pub(crate) fn dismiss_guests(&mut self, turn: &Turn<'_>) {
        let Some(desk) = &self.desk else { return };
        for number in desk.talkers.keys().copied().collect::<Vec<_>>() {
            self.hang_up(turn, number);
        }
    }

    /// Guests whose memory cannot be reached any more: they are stopped, or make no sense.
    pub(crate) fn hang_up_on_unreachable(&mut self, turn: &Turn<'_>) {
        while let Some(tree) = self.trees.unreachable() {
            let Some(desk) = &self.desk else { return };
            let found = desk
                .talkers
                .iter()
                .find(|(_, talker)| matches!(talker.role, Role::Host(its, _) if its == tree));
            match found.map(|(number, _)| *number) {
                Some(number) => self.hang_up(turn, number),
                None => self.give_up_tree(turn, tree),
            }
        }
    }

    fn give_up_tree(&mut self, turn: &Turn<'_>, tree: TreeId) {
        self.held.forget_tree(tree);
        self.late.forget_tree(tree);
        self.trees.remove(tree);
        self.tracees.forget();
        self.close_unheld(turn, tree);
        self.sweep(turn);
    }
}
