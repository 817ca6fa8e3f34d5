//! Rules: what leads where.

use std::fmt;

use ieum_control::Name;
use ieum_exit::Transport;

use crate::bounds::RULES_MAX;
use crate::spot::{Parts, Spot, SpotError};

/// A port that leads to another address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where it listens.
    pub(crate) from: Spot,
    /// Where it leads.
    pub(crate) to: Spot,
    /// TCP or UDP.
    pub(crate) transport: Transport,
}

/// Why two texts are no rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    /// One end is none.
    #[error(transparent)]
    Spot(#[from] SpotError),
    /// The ends name different protocols.
    #[error("{0:?} and {1:?} are of different protocols: name one, at either end")]
    Transports(String, String),
    /// The ranges differ in length.
    #[error("{0:?} and {1:?} are ranges of different length")]
    Ranges(String, String),
    /// Nobody can be reached at port 0.
    #[error("{0:?}: port 0 takes a free port to listen on, and nothing can lead to it")]
    NoPort(String),
    /// Bytes cannot go from one host to another.
    #[error(
        "{0:?} and {1:?} are in two hosts: one of them must be in the machine, or put both hosts on a net"
    )]
    TwoHosts(String, String),
    /// Two rules listen at the same place.
    #[error("{0} is forwarded twice")]
    Twice(String),
    /// Whoever connects would make it connect to itself, and that again, until nothing is left to connect with.
    #[error("{0} leads to itself: name another address or port")]
    Itself(String),
    /// There are too many.
    #[error("there are more than {RULES_MAX} rules")]
    TooMany,
    /// The number of ends is odd.
    #[error("{0:?} leads nowhere: give pairs, as in `ieum forward 8080 10.0.0.5:80`")]
    Unpaired(String),
}

impl Rule {
    /// The rules of one pair: as many as its ranges are long. `within`: where the end it leads to is, unless the texts say
    /// where something is.
    ///
    /// # Errors
    ///
    /// [`RuleError`] says what a person should be told.
    pub fn pair(
        from: &str,
        to: &str,
        transport: Option<Transport>,
        within: Option<&Name>,
    ) -> Result<Vec<Rule>, RuleError> {
        let (mut source, mut target) = (Parts::of(from)?, Parts::of(to)?);
        let named = [transport, source.transport, target.transport].into_iter().flatten().collect::<Vec<_>>();
        let transport = named.first().copied().unwrap_or(Transport::Tcp);
        if named.iter().any(|other| *other != transport) {
            return Err(RuleError::Transports(from.into(), to.into()));
        }
        if source.within.is_none() && target.within.is_none() {
            target.within = within.cloned();
        }
        if source.within.is_some() && target.within.is_some() && source.within != target.within {
            return Err(RuleError::TwoHosts(from.into(), to.into()));
        }
        // A range may lead to one port.
        let (from_ports, to_ports) = (source.ports(transport)?, target.ports(transport)?);
        if to_ports.len() != 1 && to_ports.len() != from_ports.len() {
            return Err(RuleError::Ranges(from.into(), to.into()));
        }
        if to_ports.contains(&0) {
            return Err(RuleError::NoPort(to.into()));
        }
        if from_ports.len() > RULES_MAX {
            return Err(RuleError::TooMany);
        }
        source.transport = Some(transport);
        let rules = from_ports.zip(to_ports.cycle()).map(|(from, to)| Rule {
            from: source.spot(from),
            to: target.spot(to),
            transport,
        });
        Ok(rules.collect())
    }

    /// The rules of a command line, two words each.
    ///
    /// # Errors
    ///
    /// [`RuleError`] says what a person should be told.
    pub fn pairs(words: &[String], within: Option<&Name>) -> Result<Vec<Rule>, RuleError> {
        let mut rules = Vec::new();
        for pair in words.chunks(2) {
            match pair {
                [from, to] => rules.extend(Rule::pair(from, to, None, within)?),
                other => return Err(RuleError::Unpaired(other.concat())),
            }
        }
        check(&rules)?;
        Ok(rules)
    }

    /// The host in which one of its ends is.
    pub fn within(&self) -> Option<&Name> {
        self.from.within.as_ref().or(self.to.within.as_ref())
    }

    /// What makes it one: rules that listen at the same place are the same, wherever they lead.
    pub(crate) fn key(&self) -> (Spot, bool) {
        (self.from.clone(), self.transport == Transport::Udp)
    }
}

/// That rules can stand beside each other.
pub(crate) fn check(rules: &[Rule]) -> Result<(), RuleError> {
    if rules.len() > RULES_MAX {
        return Err(RuleError::TooMany);
    }
    let mut seen = std::collections::BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.from.port != 0) {
        if rule.from.hears(&rule.to) {
            return Err(RuleError::Itself(format!("{}{}", rule.from, suffix(rule.transport))));
        }
        if !seen.insert(rule.key()) {
            return Err(RuleError::Twice(format!("{}{}", rule.from, suffix(rule.transport))));
        }
    }
    Ok(())
}

/// How a protocol is written behind a rule: TCP is what is meant without one.
pub(crate) fn suffix(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "",
        Transport::Udp => "/udp",
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}{}", self.from, self.to, suffix(self.transport))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(words: &[&str], within: Option<&str>) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let within = within.map(|name| name.parse().unwrap());
        let rules = Rule::pairs(&words, within.as_ref()).map_err(|error| error.to_string())?;
        Ok(rules.iter().map(Rule::to_string).collect())
    }

    #[test]
    fn words_are_taken_in_pairs() {
        let rules = pairs(&["8080", "80", "5353/udp", "10.0.0.5:53/udp", "0", "[::1]:80"], None).unwrap();
        let meant =
            ["localhost:8080 → localhost:80", "localhost:5353 → 10.0.0.5:53/udp", "localhost:0 → [::1]:80"];
        assert_eq!(rules, meant);
    }

    #[test]
    fn a_protocol_may_stand_at_either_end() {
        for words in [["53/udp", "54"], ["53", "54/udp"], ["53/udp", "54/udp"]] {
            assert_eq!(pairs(&words, None).unwrap(), ["localhost:53 → localhost:54/udp"]);
        }
        assert!(pairs(&["53/udp", "53/tcp"], None).unwrap_err().contains("different protocols"));
    }

    #[test]
    fn nothing_leads_to_itself() {
        for words in [
            ["8080", "8080"],
            ["8080", "[::1]:8080"],
            ["127.0.0.1:8080", "localhost:8080"],
            ["127.0.0.1:8080", "8080"],
            ["0.0.0.0:8080", "8080"],
            ["10.0.0.5:8080", "10.0.0.5:8080"],
            ["8000-8090", "8080"],
        ] {
            assert!(pairs(&words, None).is_err_and(|error| error.contains("leads to itself")), "{words:?}");
        }
        for words in
            [["8080", "10.0.0.5:8080"], ["10.0.0.5:8080", "8080"], ["8080", "8080@web"], ["0", "8080"]]
        {
            assert!(pairs(&words, None).is_ok(), "{words:?}");
        }
        assert!(pairs(&["8080", "8080"], Some("web")).is_ok());
    }

    #[test]
    fn a_range_leads_to_a_range_or_to_one_port() {
        let rules = pairs(&["8000-8001", "9000-9001", "7000-7001", "80"], None).unwrap();
        let meant = [
            "localhost:8000 → localhost:9000",
            "localhost:8001 → localhost:9001",
            "localhost:7000 → localhost:80",
            "localhost:7001 → localhost:80",
        ];
        assert_eq!(rules, meant);
        assert!(pairs(&["8000-8001", "9000-9002"], None).unwrap_err().contains("different length"));
        assert!(pairs(&["80", "9000-9002"], None).unwrap_err().contains("different length"));
    }

    #[test]
    fn in_says_where_the_second_end_is_unless_an_end_says_it() {
        let rules = pairs(&["8080", "80", "5432@web", "5432", "1", "2@db"], Some("web")).unwrap();
        let meant = [
            "localhost:8080 → localhost:80@web",
            "localhost:5432@web → localhost:5432",
            "localhost:1 → localhost:2@db",
        ];
        assert_eq!(rules, meant);
        assert!(pairs(&["80@web", "80@db"], None).unwrap_err().contains("two hosts"));
    }

    #[test]
    fn what_leads_nowhere_is_an_error() {
        assert!(pairs(&["8080"], None).unwrap_err().contains("leads nowhere"));
        assert!(pairs(&["8080", "0"], None).unwrap_err().contains("port 0"));
        assert!(pairs(&["80", "81", "80", "82"], None).unwrap_err().contains("forwarded twice"));
        assert!(pairs(&["80", "81", "80/udp", "82", "80@web", "1", "0", "1", "0", "2"], None).is_ok());
    }
}
