//! Entering a net: as a member of one that is there, or as its owner.

use std::io;
use std::os::fd::OwnedFd;

use ieum_engine::Room;
use ieum_stack::LinkId;

use crate::bounds::{ENTER_TRIES_MAX, OWNER_ANSWERS_WITHIN};
use crate::hosts::{Host, Hosts, Wish};
use crate::member::Member;
use crate::message::{Known, Peer, Place, Request, Word, place};
use crate::plan::Plan;
use crate::socket::FrameSocket;
use crate::switch::Switch;
use ieum_control::{BindError, Channel, Directory, Kind, Listener, Name, Received as Heard};

/// A host's place in a net, before its link exists.
#[derive(Debug)]
pub struct Seat {
    net: Name,
    place: Place,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Owner { listener: Listener, hosts: Hosts, own: Host },
    Member { channel: Channel, frames: FrameSocket, peers: Vec<Known> },
}

/// The room of a net in this process.
#[derive(Debug)]
pub enum NetRoom {
    /// The net is ours: its switch.
    Owner(Switch),
    /// It is another's.
    Member(Member),
}

/// Why a net cannot be entered, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The name or address cannot be had.
    #[error("{0}")]
    Refused(String),
    /// The owner says nothing, or nothing that can be understood.
    #[error(
        "the process that owns the net {0} does not answer as it should: is it another version of ieum, or stopped?"
    )]
    Owner(Name),
    /// The control socket cannot be reached.
    #[error("cannot enter the net {0}: {1}")]
    Connect(Name, io::Error),
    /// It cannot be made.
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl Seat {
    /// Enters `net`, one of those in `directory`; if nobody has it, it is ours, with the addresses of `plan`.
    ///
    /// # Errors
    ///
    /// [`EnterError`] says what a person should be told.
    pub fn take(directory: &Directory, net: &Name, wish: &Wish, plan: Plan) -> Result<Seat, EnterError> {
        let failed = |error| EnterError::Connect(net.clone(), error);
        for _ in 0..ENTER_TRIES_MAX {
            // An owner that ends, and others that want to be one, come between these two steps: then again.
            if let Some(channel) = Channel::connect(directory, Kind::Net, net).map_err(failed)? {
                match Seat::join(channel, net, wish)? {
                    Some(seat) => return Ok(seat),
                    None => continue,
                }
            }
            match Listener::bind(directory, Kind::Net, net) {
                Ok(listener) => return Seat::own(listener, net, wish, plan),
                Err(BindError::NameTaken(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EnterError::Owner(net.clone()))
    }

    /// The host's name and addresses.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The room of a host that calls its end of the link `host_link`.
    pub fn into_room(self, host_link: LinkId) -> NetRoom {
        let Seat { net, place, role } = self;
        match role {
            Role::Owner { listener, hosts, own } => {
                NetRoom::Owner(Switch::new(listener, hosts, &own, host_link))
            }
            Role::Member { channel, frames, peers } => {
                NetRoom::Member(Member::new(&net, &place, &peers, host_link, channel, frames))
            }
        }
    }

    fn own(listener: Listener, net: &Name, wish: &Wish, plan: Plan) -> Result<Seat, EnterError> {
        let mut hosts = Hosts::new(net.clone(), plan);
        let own = hosts
            .join(wish.clone(), std::process::id())
            .map_err(|refusal| EnterError::Refused(refusal.to_string()))?;
        let place = Place {
            name: own.name.clone(),
            addresses: plan.addresses(own.number).to_vec(),
            gateways: plan.gateways().to_vec(),
        };
        Ok(Seat { net: net.clone(), place, role: Role::Owner { listener, hosts, own } })
    }

    /// Joins by way of `channel`; `None`: the owner has gone in the meantime.
    fn join(channel: Channel, net: &Name, wish: &Wish) -> Result<Option<Seat>, EnterError> {
        let silent = || EnterError::Owner(net.clone());
        let name = wish.name.as_ref().map(Name::to_string);
        let request = Request::Join { name, addresses: wish.addresses.clone() };
        if channel.send(&request, &[]).is_err() {
            return Ok(None);
        }
        match channel.receive_within(OWNER_ANSWERS_WITHIN) {
            Ok(Heard::Message(Word::Welcome { own, prefixes_bits, gateways, peers }, fds)) => {
                let place = place(own, &prefixes_bits, gateways).map_err(|_| silent())?;
                let peers = peers
                    .into_iter()
                    .map(Peer::understood)
                    .collect::<Result<_, _>>()
                    .map_err(|_| silent())?;
                let [frames] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| silent())?;
                let role = Role::Member { channel, frames: FrameSocket::new(frames), peers };
                Ok(Some(Seat { net: net.clone(), place, role }))
            }
            Ok(Heard::Message(Word::Refused { sentence }, _)) => Err(EnterError::Refused(sentence)),
            Ok(Heard::End) => Ok(None),
            Ok(Heard::Nothing | Heard::Message(Word::Joined(_) | Word::Left(_), _)) | Err(_) => Err(silent()),
        }
    }
}

impl NetRoom {
    /// As the engine drives it.
    pub fn as_room(&mut self) -> &mut dyn Room {
        match self {
            NetRoom::Owner(switch) => switch,
            NetRoom::Member(member) => member,
        }
    }

    /// The room's own name for its host's link.
    pub fn link(&self) -> LinkId {
        LinkId::default()
    }

    /// What was dropped, by reason.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        match self {
            NetRoom::Owner(switch) => switch.counts(),
            NetRoom::Member(member) => member.counts(),
        }
    }
}
