//! Which names are ours, and what they mean.
//!
//! Names come from two sides: *given* ones, from the start and for ever, and *told* ones, which other rooms say and take
//! back. A given name stands in front of a told one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::named::{Named, canonical};
use crate::bounds::{NAME_ADDRESSES_MAX, NAMES_TOLD_MAX};

/// The top-level name whose names are ieum's alone: nobody else is asked for them.
const OWN_TOP: &str = "ieum";

/// What is known of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning<'a> {
    /// It means these addresses; none where only names below it mean something.
    Addresses(&'a [IpAddr]),
    /// It would be ours, and nobody has it.
    Nobody,
    /// Others know.
    Elsewhere,
}

/// All names that are ours.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<String, Vec<IpAddr>>,
    told: BTreeMap<String, Vec<IpAddr>>,
}

impl Names {
    /// The given names. More addresses of a family than an answer has room for are left out.
    pub(super) fn new(given: &[Named]) -> Names {
        let mut names = Names::default();
        for named in given {
            let addresses = names.given.entry(named.name().to_owned()).or_default();
            addresses.push(named.address());
            *addresses = bounded(std::mem::take(addresses));
        }
        names
    }

    /// A name means these addresses from now on; none: nobody has it any more. What is no name is ignored, and so is a
    /// new one when there are too many.
    pub(super) fn tell(&mut self, name: &str, addresses: Vec<IpAddr>) {
        let Some(name) = canonical(name) else { return };
        if addresses.is_empty() {
            self.told.remove(&name);
        } else if self.told.len() < NAMES_TOLD_MAX || self.told.contains_key(&name) {
            self.told.insert(name, bounded(addresses));
        }
    }

    /// What a name means; it is in lower case and without a final dot.
    pub(super) fn meaning(&self, name: &str) -> Meaning<'_> {
        if let Some(addresses) = self.given.get(name).or_else(|| self.told.get(name)) {
            return Meaning::Addresses(addresses);
        }
        if !is_at_or_below(name, OWN_TOP) {
            return Meaning::Elsewhere;
        }
        // RFC 8020: a name that does not exist has none below it.
        let mut all = self.given.keys().chain(self.told.keys());
        let exists = name == OWN_TOP || all.any(|other| is_at_or_below(other, name));
        if exists { Meaning::Addresses(&[]) } else { Meaning::Nobody }
    }

    /// The first name that means this address.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<&str> {
        let mut all = self.given.iter().chain(&self.told);
        all.find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name.as_str())
    }
}

/// Is `name` the same as `top`, or below it?
fn is_at_or_below(name: &str, top: &str) -> bool {
    name.strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Each address once, and no more of a family than an answer has room for.
fn bounded(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut kept: Vec<IpAddr> = Vec::new();
    for address in addresses {
        let family = kept.iter().filter(|other| other.is_ipv4() == address.is_ipv4());
        if family.count() < NAME_ADDRESSES_MAX && !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn names() -> Names {
        let given = ["db.example=10.77.0.1", "db.example=fd77::1", "db.example=10.77.0.1"];
        let mut names = Names::new(&given.map(|text| text.parse().unwrap()));
        names.tell("b.lab.ieum", vec![address("10.77.0.3")]);
        names
    }

    #[test]
    fn a_given_name_means_its_addresses_and_nothing_near_it_does() {
        let names = names();
        let both = [address("10.77.0.1"), address("fd77::1")];
        assert_eq!(names.meaning("db.example"), Meaning::Addresses(&both));
        for other in ["example", "a.db.example", "xdb.example", "db.example.org", ""] {
            assert_eq!(names.meaning(other), Meaning::Elsewhere, "{other}");
        }
    }

    #[test]
    fn names_below_ieum_are_nobodys_unless_somebody_has_them() {
        let mut names = names();
        assert_eq!(names.meaning("b.lab.ieum"), Meaning::Addresses(&[address("10.77.0.3")]));
        assert_eq!(names.meaning("c.lab.ieum"), Meaning::Nobody);
        assert_eq!(names.meaning("ab.lab.ieum"), Meaning::Nobody);
        assert_eq!(names.meaning("lab.ieum"), Meaning::Addresses(&[]), "there are names below it");
        assert_eq!(names.meaning("ieum"), Meaning::Addresses(&[]));
        assert_eq!(names.meaning("notieum"), Meaning::Elsewhere);
        names.tell("B.Lab.ieum.", Vec::new());
        assert_eq!(names.meaning("b.lab.ieum"), Meaning::Nobody);
        assert_eq!(names.meaning("lab.ieum"), Meaning::Nobody);
    }

    #[test]
    fn what_is_told_stands_behind_what_was_given() {
        let mut names = names();
        names.tell("db.example", vec![address("192.0.2.1")]);
        assert_eq!(names.name_of(address("fd77::1")), Some("db.example"));
        let Meaning::Addresses(addresses) = names.meaning("db.example") else { panic!("it has a meaning") };
        assert_eq!(addresses.len(), 2);
    }

    #[test]
    fn a_name_has_no_more_addresses_than_an_answer_has_room_for() {
        let mut names = names();
        let many = (0..100).map(|last| IpAddr::from([10, 0, 0, last])).collect();
        names.tell("many.ieum", many);
        let Meaning::Addresses(addresses) = names.meaning("many.ieum") else { panic!("it has a meaning") };
        assert_eq!(addresses.len(), NAME_ADDRESSES_MAX);
    }
}
