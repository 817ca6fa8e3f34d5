//! What holds in the network namespace of the tool, and what a script's own commands have set there.
//!
//! A script sets sysctls by commands of the shell, before its first event as a rule, and they reach the machine's
//! kernel. After a command all that are in the table of `ieum drill` are read and taken over ([`Sysctls::apply`]), so
//! that the host stands where Linux would.
//!
//! Of two only what somebody has set counts ([`ONLY_IF_SET`]), which is what differs from a namespace that nobody has
//! touched. Their values are read in one: a new namespace of a thread of its own, which ends at once. Where that is
//! not permitted, nothing can be set either, and the values at the beginning serve instead.

mod sys;

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use ieum_drill::{Settings, sysctl_names};

/// Values by name, as in `net.ipv4.tcp_sack`.
type Values = BTreeMap<String, String>;

/// What nobody has set of [`ONLY_IF_SET`].
pub(crate) struct Sysctls {
    untouched: Values,
}

/// Sysctls whose values mean nothing unless somebody has set them: congestion control, which every namespace has from
/// its machine, and which scripts that do not choose it take for CUBIC; and the send buffer, which on Linux begins
/// small and grows, and here has the size to which it would grow.
const ONLY_IF_SET: [&str; 2] = ["net.ipv4.tcp_congestion_control", "net.ipv4.tcp_wmem"];

/// The stack of the thread that looks at a new namespace, in bytes: packetdrill pins all memory.
const STACK_BYTES: usize = 128 << 10;

impl Sysctls {
    pub(crate) fn new() -> Sysctls {
        let names = || ONLY_IF_SET.map(str::to_owned).into_iter();
        let in_a_new_namespace = move || sys::enter_new_network().then(|| read(names()));
        let looking = thread::Builder::new().stack_size(STACK_BYTES).spawn(in_a_new_namespace);
        let untouched = looking.ok().and_then(|looking| looking.join().ok().flatten());
        Sysctls { untouched: untouched.unwrap_or_else(|| read(names())) }
    }

    /// Takes over what there is now.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        self.apply_values(settings, &read(sysctl_names()));
    }

    fn apply_values(&self, settings: &mut Settings, values: &Values) {
        for (name, value) in values.iter().filter(|(name, value)| self.untouched.get(*name) != Some(*value)) {
            settings.set(name, value);
        }
    }
}

/// What the namespace of this thread has. What it does not know, or does not let us read, is left out.
fn read(names: impl Iterator<Item = String>) -> Values {
    let value = |name: String| {
        let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
        Some((name, text.trim().to_owned()))
    };
    names.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_counts_only_if_it_was_set_the_machines_own_is_not_taken() {
        let values = |congestion: &str| {
            let pairs = [(ONLY_IF_SET[0], congestion), ("net.ipv4.tcp_timestamps", "0")];
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<Values>()
        };
        let untouched = Values::from([(ONLY_IF_SET[0].to_owned(), "cubic".to_owned())]);
        let sysctls = Sysctls { untouched };
        let mut settings = Settings::default();
        sysctls.apply_values(&mut settings, &values("cubic"));
        assert!(!settings.tcp_timestamps && settings.socket_defaults.is_empty());
        sysctls.apply_values(&mut settings, &values("reno"));
        assert_eq!(settings.socket_defaults.len(), 1);
    }

    #[test]
    fn the_namespace_is_read_by_names() {
        let names = ["net.ipv4.tcp_sack", "net.ipv4.no_such_thing"].map(str::to_owned);
        assert_eq!(read(names.into_iter()).len(), 1);
    }
}
