//! Who is in a net: names and numbers are each had by one host at a time.
//!
//! A number that becomes free goes to the end of the queue, so that a host's packets under way, and programs that
//! remember its address, meet a stranger as late as possible.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use ieum_control::Name;

use crate::plan::Plan;

/// A host of a net.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    pub(crate) number: u8,
    pub(crate) name: Name,
    /// The process that serves it, for people.
    pub(crate) pid: u32,
}

/// What a host would like to have.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Wish {
    /// `None`: one is made.
    pub name: Option<Name>,
    /// None: the next free ones. Two must belong to one host of the plan.
    pub addresses: Vec<IpAddr>,
}

/// Why a host cannot be in a net, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinRefusal {
    /// Somebody has the name.
    #[error("the name {name} is taken in the net {net} by process {pid}: give another --name")]
    Name {
        /// The name.
        name: Name,
        /// The net.
        net: Name,
        /// Who has it.
        pid: u32,
    },
    /// Somebody has the address.
    #[error("{address} is taken in the net {net} by {name} (process {pid}): give another --address, or none")]
    Address {
        /// The address.
        address: IpAddr,
        /// The net.
        net: Name,
        /// Who has it.
        name: Name,
        /// Its process.
        pid: u32,
    },
    /// The net has no such address.
    #[error("{address} is not a host's address in the net {net}: give one from {first} to {last}, or none")]
    Outside {
        /// The address.
        address: IpAddr,
        /// The net.
        net: Name,
        /// The first that is one.
        first: IpAddr,
        /// The last.
        last: IpAddr,
    },
    /// Two addresses belong to two hosts.
    #[error("a host of the net {net} has addresses of one number, such as {first} and {second}")]
    Disagreement {
        /// The net.
        net: Name,
        /// Of IPv4.
        first: IpAddr,
        /// Of IPv6, with the same number.
        second: IpAddr,
    },
    /// Every address is taken.
    #[error("the net {net} is full: it has no address left")]
    Full {
        /// The net.
        net: Name,
    },
}

/// All hosts of a net.
#[derive(Debug)]
pub(crate) struct Hosts {
    net: Name,
    plan: Plan,
    /// Numbers nobody has, the next to be given first.
    free: VecDeque<u8>,
    present: BTreeMap<u8, Host>,
}

impl Hosts {
    /// A net without hosts.
    pub(crate) fn new(net: Name, plan: Plan) -> Hosts {
        Hosts { net, plan, free: plan.numbers().collect(), present: BTreeMap::new() }
    }

    /// The net's name.
    pub(crate) fn net(&self) -> &Name {
        &self.net
    }

    /// Its addresses.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// All hosts, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Host> {
        self.present.values()
    }

    /// A host comes in.
    pub(crate) fn join(&mut self, wish: Wish, pid: u32) -> Result<Host, JoinRefusal> {
        let number = self.number_for(&wish.addresses)?;
        let name = match wish.name {
            Some(name) => self.unused(name)?,
            None => self.made(number),
        };
        self.free.retain(|free| *free != number);
        let member = Host { number, name, pid };
        self.present.insert(number, member.clone());
        Ok(member)
    }

    /// A host leaves.
    pub(crate) fn leave(&mut self, number: u8) -> Option<Host> {
        let member = self.present.remove(&number)?;
        self.free.push_back(number);
        Some(member)
    }

    fn number_for(&self, addresses: &[IpAddr]) -> Result<u8, JoinRefusal> {
        let net = || self.net.clone();
        let Some(first) = addresses.first() else {
            return self.free.front().copied().ok_or_else(|| JoinRefusal::Full { net: net() });
        };
        let number = self.number_of(*first)?;
        for address in addresses {
            if self.number_of(*address)? != number {
                let [first, second] = self.plan.addresses(number).map(|own| own.address());
                return Err(JoinRefusal::Disagreement { net: net(), first, second });
            }
            if let Some(holder) = self.present.get(&number) {
                let (name, pid) = (holder.name.clone(), holder.pid);
                return Err(JoinRefusal::Address { address: *address, net: net(), name, pid });
            }
        }
        Ok(number)
    }

    fn number_of(&self, address: IpAddr) -> Result<u8, JoinRefusal> {
        self.plan.number_of(address).ok_or_else(|| {
            let family = usize::from(address.is_ipv6());
            let of = |number: Option<u8>| self.plan.addresses(number.unwrap_or(0))[family].address();
            let (first, last) = (of(self.plan.numbers().next()), of(self.plan.numbers().last()));
            JoinRefusal::Outside { address, net: self.net.clone(), first, last }
        })
    }

    fn holder(&self, name: &str) -> Option<&Host> {
        self.iter().find(|member| member.name.as_str() == name)
    }

    fn unused(&self, name: Name) -> Result<Name, JoinRefusal> {
        match self.holder(name.as_str()) {
            Some(holder) => Err(JoinRefusal::Name { pid: holder.pid, name, net: self.net.clone() }),
            None => Ok(name),
        }
    }

    /// `h2` for host 2, unless somebody chose that name for himself.
    fn made(&self, number: u8) -> Name {
        // There are fewer hosts than tries.
        let tries = (0..=u8::MAX).map(|again| match again {
            0 => format!("h{number}"),
            again => format!("h{number}-{again}"),
        });
        let free = tries.into_iter().find(|name| self.holder(name).is_none());
        free.and_then(|name| name.parse().ok()).expect("one of 256 names is not had by 253 hosts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Hosts {
        let gateways = ["10.77.0.1".parse().unwrap(), "fd77::1".parse().unwrap()];
        let plan =
            Plan::new("10.77.0.2/29".parse().unwrap(), "fd77::2/64".parse().unwrap(), gateways).unwrap();
        Hosts::new("lab".parse().unwrap(), plan)
    }

    fn wish(name: &str, addresses: &[&str]) -> Wish {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Wish { name: name.parse().ok(), addresses }
    }

    fn any() -> Wish {
        Wish::default()
    }

    #[test]
    fn numbers_come_in_turn_and_come_again_as_late_as_possible() {
        let mut members = members();
        let join = |members: &mut Hosts| members.join(any(), 1).map(|member| member.number);
        assert_eq!([join(&mut members), join(&mut members), join(&mut members)], [Ok(2), Ok(3), Ok(4)]);
        members.leave(2).unwrap();
        members.leave(3).unwrap();
        assert!(members.leave(3).is_none());
        assert_eq!([join(&mut members), join(&mut members)], [Ok(5), Ok(6)]);
        assert_eq!([join(&mut members), join(&mut members)], [Ok(2), Ok(3)]);
        let full = join(&mut members).unwrap_err();
        assert_eq!(full.to_string(), "the net lab is full: it has no address left");
    }

    #[test]
    fn an_address_can_be_asked_for() {
        let mut members = members();
        assert_eq!(members.join(wish("a", &["10.77.0.5"]), 7).unwrap().number, 5);
        assert_eq!(members.join(wish("b", &["fd77::3", "10.77.0.3"]), 8).unwrap().number, 3);
        assert_eq!(members.join(any(), 9).unwrap().number, 2);
        assert_eq!(members.join(any(), 9).unwrap().number, 4);
        for (addresses, sentence) in [
            (
                &["fd77::5"][..],
                "fd77::5 is taken in the net lab by a (process 7): give another --address, or none",
            ),
            (
                &["10.77.0.1"],
                "10.77.0.1 is not a host's address in the net lab: give one from 10.77.0.2 to 10.77.0.6, or none",
            ),
            (
                &["10.77.0.6", "fd77::2"],
                "a host of the net lab has addresses of one number, such as 10.77.0.6 and fd77::6",
            ),
        ] {
            assert_eq!(members.join(wish("c", addresses), 1).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn a_name_is_had_once() {
        let mut members = members();
        members.join(wish("web", &[]), 77).unwrap();
        let refusal = members.join(wish("WEB", &[]), 78).unwrap_err().to_string();
        assert_eq!(refusal, "the name web is taken in the net lab by process 77: give another --name");
        // Who says nothing gets a name that nobody else has chosen.
        members.join(wish("h4", &[]), 79).unwrap();
        assert_eq!(members.join(any(), 80).unwrap().name.as_str(), "h4-1");
        members.leave(2).unwrap();
        assert!(members.join(wish("web", &[]), 81).is_ok());
    }
}
