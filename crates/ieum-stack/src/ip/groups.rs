//! Multicast groups: who has joined which on which link, whom they hear there, and what routers are told of it
//! (RFC 3376, RFC 3810).
//!
//! A membership is one user's: a group, a link and a filter of senders. What a link hears is what all memberships of it ask
//! for together; when that changes the change is reported, twice, and when a router asks it is reported as it stands.
//! Every host is in the groups of all systems, which are never reported.
//!
//! What it does not do: reports of the older versions. A router that speaks them alone (RFC 3376 §7.2) hears of groups
//! nothing that it understands.
//!
//! Invariant: there is a report to come only for links that were joined or asked.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ieum_wire::group::{Query, Record, RecordKind};
use ieum_wire::{Instant, Packet, group};
use slotmap::SlotMap;

use super::{ALL_NODES, Ip};
use crate::bounds::{GROUP_REPORT_BYTES_MAX, GROUP_REPORTS_MAX};
use crate::chance::Chance;
use crate::link::LinkId;

slotmap::new_key_type! {
    /// Names one user's membership in a group.
    pub struct MembershipId;
}

/// Whom a member hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceFilter {
    /// These senders alone.
    Include(BTreeSet<IpAddr>),
    /// All but these.
    Exclude(BTreeSet<IpAddr>),
}

impl SourceFilter {
    /// Everybody.
    pub fn all() -> SourceFilter {
        SourceFilter::Exclude(BTreeSet::new())
    }

    /// Nobody: no membership at all.
    fn nobody() -> SourceFilter {
        SourceFilter::Include(BTreeSet::new())
    }

    /// Is this sender heard?
    pub fn allows(&self, source: IpAddr) -> bool {
        match self {
            SourceFilter::Include(sources) => sources.contains(&source),
            SourceFilter::Exclude(sources) => !sources.contains(&source),
        }
    }

    /// Whoever one of the two hears (RFC 3376 §3.2).
    fn or(&self, other: &SourceFilter) -> SourceFilter {
        use SourceFilter::{Exclude, Include};
        match (self, other) {
            (Include(one), Include(two)) => Include(one | two),
            (Exclude(one), Exclude(two)) => Exclude(one & two),
            (Exclude(not), Include(but)) | (Include(but), Exclude(not)) => Exclude(not - but),
        }
    }
}

#[derive(Debug)]
struct Membership {
    link: LinkId,
    group: IpAddr,
    filter: SourceFilter,
}

/// Something that is to be reported.
#[derive(Debug)]
struct Report {
    at: Instant,
    link: LinkId,
    what: What,
}

#[derive(Debug)]
enum What {
    /// What changed of a group, and how often it is said again.
    Change { group: IpAddr, records: Vec<Record>, again: u32 },
    /// How things stand with one group, or with all of a family.
    Current { group: Option<IpAddr>, ip4: bool },
}

/// How often a change is reported in all: the Robustness Variable (RFC 3376 §8.1).
const ROBUSTNESS: u32 = 2;
/// Within this time the report of a change is repeated (RFC 3376 §8.11).
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// All memberships of a host, and what is to be said of them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    members: SlotMap<MembershipId, Membership>,
    reports: Vec<Report>,
}

impl Groups {
    /// Is anybody in this group on this link?
    pub(crate) fn is_joined(&self, link: LinkId, group: IpAddr) -> bool {
        is_everybodys(group) || self.of(link, group).next().is_some()
    }

    /// Whether a user with these memberships hears a sender: as the one for the group says, or else as `otherwise`.
    pub(crate) fn allow(
        &self,
        ids: &[MembershipId],
        link: LinkId,
        group: IpAddr,
        source: IpAddr,
        otherwise: bool,
    ) -> bool {
        let mut members = ids.iter().filter_map(|id| self.members.get(*id));
        let of_it = members.find(|member| (member.link, member.group) == (link, group));
        of_it.map_or(otherwise, |member| member.filter.allows(source))
    }

    /// Somebody joins.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        link: LinkId,
        group: IpAddr,
        filter: SourceFilter,
    ) -> MembershipId {
        let before = self.heard(link, group);
        let id = self.members.insert(Membership { link, group, filter });
        self.changed(now, link, group, &before);
        id
    }

    /// A member hears others from now on.
    pub(crate) fn listen(&mut self, now: Instant, id: MembershipId, filter: SourceFilter) {
        let Some(&Membership { link, group, .. }) = self.members.get(id) else { return };
        let before = self.heard(link, group);
        if let Some(member) = self.members.get_mut(id) {
            member.filter = filter;
        }
        self.changed(now, link, group, &before);
    }

    /// A member leaves.
    pub(crate) fn leave(&mut self, now: Instant, id: MembershipId) {
        let Some(&Membership { link, group, .. }) = self.members.get(id) else { return };
        let before = self.heard(link, group);
        self.members.remove(id);
        self.changed(now, link, group, &before);
    }

    /// A router asks: the answer comes at a moment of chance within the time it gives.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        chance: &mut Chance,
        link: LinkId,
        ip4: bool,
        query: &Query,
    ) {
        let joined = query.group.is_none_or(|group| self.of(link, group).next().is_some());
        if !joined {
            return;
        }
        let at = now + within(chance, query.max_response);
        let covers = |report: &&mut Report| match report.what {
            What::Current { group, ip4: family } => {
                report.link == link && family == ip4 && (group.is_none() || group == query.group)
            }
            What::Change { .. } => false,
        };
        // RFC 3376 §5.2: an answer that is to come answers this question too, if it comes in time.
        match self.reports.iter_mut().find(covers) {
            Some(report) => report.at = report.at.min(at),
            None => self.add(Report { at, link, what: What::Current { group: query.group, ip4 } }),
        }
    }

    /// When the next report is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.reports.iter().map(|report| report.at).min()
    }

    /// The records of the next report that is due, by the link they go out by.
    fn due(&mut self, now: Instant, chance: &mut Chance) -> Option<(LinkId, Vec<Record>)> {
        let at = self.reports.iter().position(|report| report.at <= now)?;
        let Report { link, what, .. } = self.reports.remove(at);
        Some(match what {
            What::Change { group, records, again } => {
                if again > 1 {
                    let at = now + within(chance, REPEAT_WITHIN);
                    let what = What::Change { group, records: records.clone(), again: again - 1 };
                    self.add(Report { at, link, what });
                }
                (link, records)
            }
            What::Current { group, ip4 } => (link, self.current(link, group, ip4)),
        })
    }

    /// How things stand.
    fn current(&self, link: LinkId, asked: Option<IpAddr>, ip4: bool) -> Vec<Record> {
        let members = self.members.values().filter(|member| member.link == link);
        let groups: BTreeSet<IpAddr> = members.map(|member| member.group).collect();
        let wanted = groups.into_iter().filter(|group| match asked {
            Some(one) => one == *group,
            None => group.is_ipv4() == ip4,
        });
        let record = |group| match self.heard(link, group) {
            SourceFilter::Include(sources) => {
                (!sources.is_empty()).then(|| record(RecordKind::IsInclude, group, &sources))
            }
            SourceFilter::Exclude(sources) => Some(record(RecordKind::IsExclude, group, &sources)),
        };
        wanted.filter(|group| is_reported(*group)).filter_map(record).collect()
    }

    fn of(&self, link: LinkId, group: IpAddr) -> impl Iterator<Item = &Membership> {
        self.members.values().filter(move |member| (member.link, member.group) == (link, group))
    }

    /// Whom the link has to hear.
    fn heard(&self, link: LinkId, group: IpAddr) -> SourceFilter {
        self.of(link, group).fold(SourceFilter::nobody(), |all, member| all.or(&member.filter))
    }

    fn changed(&mut self, now: Instant, link: LinkId, group: IpAddr, before: &SourceFilter) {
        let records = difference(group, before, &self.heard(link, group));
        if records.is_empty() || !is_reported(group) {
            return;
        }
        // What was said of this group before is out of date.
        self.reports.retain(|report| {
            report.link != link
                || !matches!(&report.what, What::Change { group: other, .. } if *other == group)
        });
        self.add(Report { at: now, link, what: What::Change { group, records, again: ROBUSTNESS } });
    }

    /// Routers ask again, so that a report beyond the bound costs time and no more.
    fn add(&mut self, report: Report) {
        if self.reports.len() < GROUP_REPORTS_MAX {
            self.reports.push(report);
        }
    }
}

impl Ip {
    /// Writes the reports of groups that are due; they leave when frames are fetched.
    pub(crate) fn write_group_reports(&mut self, now: Instant, chance: &mut Chance) {
        while let Some((link, records)) = self.groups.due(now, chance) {
            if link == self.loopback {
                continue;
            }
            let four = self.source_for(link, group::REPORTS_TO_4.into());
            for records in portions(records) {
                let packet = match (records.first().map(|record| record.group), four) {
                    // RFC 3376 §4.2.13: without an address yet, nobody's.
                    (Some(IpAddr::V4(_)), Some(IpAddr::V4(source))) => group::report4(source, &records),
                    (Some(IpAddr::V4(_)), _) => group::report4(Ipv4Addr::UNSPECIFIED, &records),
                    (Some(IpAddr::V6(_)), _) => group::report6(self.link_local(link), &records),
                    (None, _) => continue,
                };
                // A link that takes no frames is not told more than it will ever want: routers ask again.
                if self.group_reports.len() < GROUP_REPORTS_MAX {
                    self.group_reports.push_back((link, packet));
                }
            }
        }
    }

    /// The next report that is written.
    pub(crate) fn poll_group_report(&mut self) -> Option<(LinkId, Packet)> {
        self.group_reports.pop_front()
    }

    /// Our link-local address there, or nobody's.
    fn link_local(&self, link: LinkId) -> Ipv6Addr {
        let own = self.addresses.iter().filter(|own| own.link == link).map(|own| own.cidr.address());
        let of_link = |address| match address {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        own.filter_map(of_link).next().unwrap_or(Ipv6Addr::UNSPECIFIED)
    }
}

/// Records by the frame.
fn portions(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut portions: Vec<Vec<Record>> = Vec::new();
    let mut room = 0;
    for record in records.into_iter().flat_map(fitting) {
        let bytes = record.len_bytes();
        match portions.last_mut() {
            Some(portion) if bytes <= room => portion.push(record),
            Some(_) | None => {
                portions.push(vec![record]);
                room = GROUP_REPORT_BYTES_MAX;
            }
        }
        room = room.saturating_sub(bytes);
    }
    portions
}

/// A record that fits into a frame, or several in its place (RFC 3376 §4.2.16): of senders that are not wanted only as many are
/// said as fit, the others come in vain.
fn fitting(record: Record) -> Vec<Record> {
    let address_bytes = if record.group.is_ipv4() { 4 } else { 16 };
    let sources_max = (GROUP_REPORT_BYTES_MAX - 4) / address_bytes - 1;
    if record.sources.len() <= sources_max {
        return vec![record];
    }
    let parts = record.sources.chunks(sources_max);
    let parts = parts.map(|sources| Record { sources: sources.to_vec(), ..record.clone() });
    match record.kind {
        RecordKind::IsExclude | RecordKind::ToExclude => parts.take(1).collect(),
        RecordKind::IsInclude | RecordKind::ToInclude | RecordKind::Allow | RecordKind::Block => {
            parts.collect()
        }
    }
}

/// What has to be said of the way from one filter to another (RFC 3376 §5.1).
fn difference(group: IpAddr, before: &SourceFilter, after: &SourceFilter) -> Vec<Record> {
    use SourceFilter::{Exclude, Include};
    let lists = |allow: BTreeSet<IpAddr>, block: BTreeSet<IpAddr>| {
        let both = [(RecordKind::Allow, allow), (RecordKind::Block, block)];
        both.iter()
            .filter(|(_, sources)| !sources.is_empty())
            .map(|(kind, sources)| record(*kind, group, sources))
            .collect()
    };
    match (before, after) {
        (Include(before), Include(after)) => lists(after - before, before - after),
        (Exclude(before), Exclude(after)) => lists(before - after, after - before),
        (Exclude(_), Include(after)) => vec![record(RecordKind::ToInclude, group, after)],
        (Include(_), Exclude(after)) => vec![record(RecordKind::ToExclude, group, after)],
    }
}

fn record(kind: RecordKind, group: IpAddr, sources: &BTreeSet<IpAddr>) -> Record {
    Record { kind, group, sources: sources.iter().copied().collect() }
}

/// A moment of chance within that time.
fn within(chance: &mut Chance, time: Duration) -> Duration {
    let us = u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1);
    Duration::from_micros(chance.below(us).into())
}

/// All systems on a link (RFC 1112 §4, RFC 4291 §2.7.1): every host is in this group.
fn is_everybodys(group: IpAddr) -> bool {
    group == IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1)) || group == IpAddr::V6(ALL_NODES)
}

/// Are routers told of it? Not of what every host is in, nor of what does not leave the host (RFC 3810 §6).
fn is_reported(group: IpAddr) -> bool {
    !is_everybodys(group) && !stays_inside(group)
}

/// Is it a group of an interface alone (RFC 4291 §2.7), which no link carries?
pub(crate) fn stays_inside(group: IpAddr) -> bool {
    matches!(group, IpAddr::V6(v6) if v6.is_multicast() && v6.octets()[1] & 0xf < 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sources: &[&str]) -> BTreeSet<IpAddr> {
        sources.iter().map(|source| source.parse().unwrap()).collect()
    }

    #[test]
    fn a_link_hears_whomever_one_of_its_members_hears() {
        use SourceFilter::{Exclude, Include};
        let [ab, bc] = [set(&["10.0.0.1", "10.0.0.2"]), set(&["10.0.0.2", "10.0.0.3"])];
        assert_eq!(Include(ab.clone()).or(&Include(bc.clone())), Include(&ab | &bc));
        assert_eq!(Exclude(ab.clone()).or(&Exclude(bc.clone())), Exclude(set(&["10.0.0.2"])));
        assert_eq!(Exclude(ab.clone()).or(&Include(bc.clone())), Exclude(set(&["10.0.0.1"])));
        assert_eq!(Include(ab).or(&SourceFilter::all()), SourceFilter::all());
    }

    #[test]
    fn a_change_says_no_more_than_what_changed() {
        use SourceFilter::{Exclude, Include};
        let group: IpAddr = "239.1.2.3".parse().unwrap();
        let said = |before: &SourceFilter, after: &SourceFilter| -> Vec<(RecordKind, usize)> {
            let records = difference(group, before, after);
            records.iter().map(|record| (record.kind, record.sources.len())).collect()
        };
        let [one, two] = [set(&["10.0.0.1"]), set(&["10.0.0.1", "10.0.0.2"])];
        assert_eq!(said(&SourceFilter::nobody(), &SourceFilter::all()), [(RecordKind::ToExclude, 0)]);
        assert_eq!(said(&SourceFilter::all(), &SourceFilter::nobody()), [(RecordKind::ToInclude, 0)]);
        assert_eq!(said(&Include(one.clone()), &Include(two.clone())), [(RecordKind::Allow, 1)]);
        assert_eq!(said(&Exclude(one.clone()), &Exclude(two)), [(RecordKind::Block, 1)]);
        assert_eq!(said(&Include(one.clone()), &SourceFilter::nobody()), [(RecordKind::Block, 1)]);
        assert_eq!(said(&Include(one.clone()), &Include(one)), []);
    }

    #[test]
    fn reports_are_cut_by_the_frame() {
        let group: IpAddr = "239.1.2.3".parse().unwrap();
        let records = vec![record(RecordKind::IsExclude, group, &BTreeSet::new()); 400];
        let portions = portions(records);
        assert!(portions.len() > 1);
        assert_eq!(portions.iter().map(Vec::len).sum::<usize>(), 400);
        for portion in portions {
            assert!(portion.iter().map(Record::len_bytes).sum::<usize>() <= GROUP_REPORT_BYTES_MAX);
        }
    }

    #[test]
    fn so_are_the_senders_of_one_record() {
        let group: IpAddr = "ff15::1".parse().unwrap();
        let sources: BTreeSet<IpAddr> =
            (0..5000_u16).map(|at| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, at])).collect();
        let said = |kind| {
            let portions = portions(vec![record(kind, group, &sources)]);
            for portion in &portions {
                assert!(portion.iter().map(Record::len_bytes).sum::<usize>() <= GROUP_REPORT_BYTES_MAX);
                assert!(portion.iter().all(|record| record.kind == kind));
            }
            portions.iter().flatten().map(|record| record.sources.len()).sum::<usize>()
        };
        assert_eq!(said(RecordKind::ToInclude), 5000, "who is wanted is said");
        assert_eq!(said(RecordKind::IsExclude), 73, "of who is not, as many as fit");
    }
}
