//! Which rules are in force: those that come, stay, lead elsewhere and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ieum_engine::{Serial, Turn, complain};
use ieum_exit::Transport;

use super::Conductor;
use crate::bounds::PAST_RULES_MAX;
use crate::forwarder::RuleId;
use crate::listen;
use crate::rule::{Rule, check, suffix};
use crate::words::Order;

/// A rule that is in force.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: RuleId,
    pub(super) rule: Rule,
    /// The worker that forwards for it.
    pub(super) office: Option<Serial>,
    /// Where it listens; empty while its worker has not said.
    pub(super) open: Vec<SocketAddr>,
    /// The machine's sockets that listen for it, for the rule that comes in its place in another process: who had them before
    /// may not have closed them by then, and nobody is refused between the two.
    pub(super) sockets: Vec<OwnedFd>,
}

impl Conductor {
    /// The rules of the command line and of the file.
    pub(super) fn wanted(&self) -> Result<Vec<Rule>, String> {
        let mut rules = self.wish.rules.clone();
        if let Some(config) = &self.config {
            rules.extend(config.read()?);
        }
        check(&rules).map_err(|error| error.to_string())?;
        Ok(rules)
    }

    /// Makes `rules` those in force. Who stays keeps its sockets and its connections.
    pub(super) fn apply(&mut self, turn: &Turn<'_>, rules: Vec<Rule>) {
        let mut added = Vec::new();
        let mut before = std::mem::take(&mut self.active);
        for rule in rules {
            // A free port is another one each time, so such a rule stays only as it is.
            let same = |active: &Active| {
                active.rule.key() == rule.key()
                    && active.rule.to.within == rule.to.within
                    && (rule.from.port != 0 || active.rule == rule)
            };
            match before.iter().position(same) {
                Some(at) => {
                    let mut active = before.remove(at);
                    if active.rule.to != rule.to {
                        active.rule = rule;
                        self.aim(turn, &active);
                    }
                    self.active.push(active);
                }
                None => added.push(rule),
            }
        }
        // Their ports may be wanted by those that come.
        for active in &before {
            complain(&format!("no more forwarding {}", self.label(active.id)));
            match active.office.and_then(|office| self.offices.get_mut(&office)) {
                Some(office) => office.mailbox.say(Order::Close { rule: active.id }, None),
                None => self.forwarder.close(turn, active.id),
            }
        }
        for rule in added {
            let earlier = before.iter_mut().find(|active| active.rule.key() == rule.key());
            let open = earlier.filter(|active| !active.sockets.is_empty()).map(|active| {
                let sockets = std::mem::take(&mut active.sockets);
                sockets.into_iter().zip(active.open.iter().copied()).collect()
            });
            if let Err(sentence) = self.add(turn, rule, open) {
                self.refuse(sentence);
            }
        }
        let in_force = self.active.iter().map(|active| active.id).collect();
        forget_oldest(&mut self.shown, &in_force);
        for office in self.offices.values_mut() {
            office.counts.retain(|rule, _| self.shown.contains_key(rule));
        }
    }

    /// `open`: what it listens with, where an earlier rule has left that.
    fn add(&mut self, turn: &Turn<'_>, rule: Rule, open: Option<Vec<listen::Open>>) -> Result<(), String> {
        let office = match rule.within() {
            Some(name) => Some(self.office(turn, name)?),
            None => None,
        };
        let open = match open {
            Some(open) => open,
            None if rule.from.within.is_none() => {
                listen::open(&rule.from, rule.transport).map_err(|error| error.to_string())?
            }
            None => Vec::new(),
        };
        let (sockets, addresses): (Vec<OwnedFd>, Vec<SocketAddr>) = open.into_iter().unzip();
        let kept = sockets.iter().map(OwnedFd::try_clone);
        let kept = kept
            .collect::<io::Result<_>>()
            .map_err(|error| format!("cannot forward {rule}: {error} (`ulimit -n` says how many)"))?;
        self.last_rule += 1;
        let id = self.last_rule;
        self.shown.insert(id, (rule.to_string(), rule.transport));
        let mut active = Active { id, rule, office, open: addresses, sockets: kept };
        match office.and_then(|office| self.offices.get_mut(&office)) {
            Some(office) => {
                let Rule { from, to, transport } = &active.rule;
                let order = Order::Forward {
                    rule: id,
                    from: from.to_string(),
                    to: to.to_string(),
                    udp: *transport == Transport::Udp,
                    sockets: sockets.len(),
                };
                office.mailbox.say(order, None);
                for socket in sockets {
                    office.mailbox.say(Order::Socket { rule: id }, Some(socket));
                }
            }
            None => {
                let Rule { to, transport, .. } = &active.rule;
                if let Err(error) = self.forwarder.open(turn, id, to.clone(), *transport, sockets) {
                    self.shown.remove(&id);
                    return Err(format!("cannot forward {}: {error}", active.rule));
                }
                self.announce(&mut active);
            }
        }
        self.active.push(active);
        Ok(())
    }

    /// A rule leads elsewhere from now on.
    fn aim(&mut self, turn: &Turn<'_>, active: &Active) {
        let to = &active.rule.to;
        match active.office.and_then(|office| self.offices.get_mut(&office)) {
            Some(office) => office.mailbox.say(Order::Aim { rule: active.id, to: to.to_string() }, None),
            None => self.forwarder.aim(turn, active.id, to.clone()),
        }
        self.name_rule(active);
        complain(&format!("forwarding {}", self.label(active.id)));
    }

    pub(super) fn announce(&mut self, active: &mut Active) {
        self.name_rule(active);
        complain(&format!("forwarding {}", self.label(active.id)));
    }

    /// Where a rule listens is known.
    fn name_rule(&mut self, active: &Active) {
        let Rule { from, to, transport } = &active.rule;
        let from = listen::shown(&active.open, from.within.as_ref());
        self.shown.insert(active.id, (format!("{from} → {to}{}", suffix(*transport)), *transport));
    }

    pub(super) fn label(&self, rule: RuleId) -> String {
        self.shown.get(&rule).map(|(label, _)| label.clone()).unwrap_or_default()
    }
}

/// Of the rules that are no more only the latest are kept.
fn forget_oldest<T>(shown: &mut BTreeMap<RuleId, T>, in_force: &BTreeSet<RuleId>) {
    let mut past = shown.len() - shown.keys().filter(|rule| in_force.contains(rule)).count();
    shown.retain(|rule, _| {
        let stays = in_force.contains(rule) || past <= PAST_RULES_MAX;
        past -= usize::from(!in_force.contains(rule));
        stays
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_are_no_more_are_not_remembered_for_ever() {
        let in_force = BTreeSet::from([1, 5]);
        let last = RuleId::try_from(PAST_RULES_MAX).unwrap() + 5;
        let mut shown: BTreeMap<RuleId, ()> = (1..=last).map(|rule| (rule, ())).collect();
        forget_oldest(&mut shown, &in_force);
        let forgotten: Vec<RuleId> = (1..=last).filter(|rule| !shown.contains_key(rule)).collect();
        assert_eq!(forgotten, [2, 3, 4]);
        forget_oldest(&mut shown, &in_force);
        assert_eq!(shown.len(), PAST_RULES_MAX + 2);
    }
}
