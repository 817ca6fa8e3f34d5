//! What a script's own commands have set, as the namespace of this thread shows it.
//!
//! A script sets sysctls by commands of the shell, before its first event as a rule, and they reach the machine's
//! kernel. When a socket is made they are read ([`Sysctls::apply`]), and what differs from a namespace that nobody has
//! touched was set by somebody: it is taken over through the table of `ieum drill`. What nobody has set is as it is
//! without a kernel, so that the machine's own tuning makes no difference.
//!
//! The values of an untouched namespace are read in one: a new namespace of a thread of its own, which ends at once.
//! The sizes of receive buffers are taken over in any case: the kernel derives them from the machine's memory, so that a
//! script may well set what they are already; and every window scale follows from them.
//! Where a new namespace is not permitted, nothing can be set either, and the values at the beginning serve instead.

mod sys;

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use ieum_drill::{Settings, sysctl_names};

/// Values by name, as in `net.ipv4.tcp_sack`.
type Values = BTreeMap<String, String>;

/// What nobody has set.
pub(crate) struct Sysctls {
    untouched: Values,
}

/// What is taken over though nobody may have set it.
const RECV_BUFFERS: &str = "net.ipv4.tcp_rmem";

/// The stack of the thread that looks at a new namespace, in bytes: packetdrill pins all memory.
const STACK_BYTES: usize = 128 << 10;

impl Sysctls {
    pub(crate) fn new() -> Sysctls {
        let in_a_new_namespace = || sys::enter_new_network().then(read);
        let looking = thread::Builder::new().stack_size(STACK_BYTES).spawn(in_a_new_namespace);
        let untouched = looking.ok().and_then(|looking| looking.join().ok().flatten());
        Sysctls { untouched: untouched.unwrap_or_else(read) }
    }

    /// Takes over what was set.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        self.apply_values(settings, &read());
    }

    fn apply_values(&self, settings: &mut Settings, values: &Values) {
        let was_set = |name: &String, value| name == RECV_BUFFERS || self.untouched.get(name) != Some(value);
        for (name, value) in values.iter().filter(|(name, value)| was_set(name, *value)) {
            settings.set(name, value);
        }
    }
}

/// What the namespace of this thread has. What it does not know, or does not let us read, is left out.
fn read() -> Values {
    let value = |name: String| {
        let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
        Some((name, text.trim().to_owned()))
    };
    sysctl_names().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_somebody_has_set_is_taken_over() {
        let name = "net.ipv4.tcp_timestamps".to_owned();
        let values = |value: &str| Values::from([(name.clone(), value.to_owned())]);
        let sysctls = Sysctls { untouched: values("0") };
        let mut settings = Settings::default();
        sysctls.apply_values(&mut settings, &values("0"));
        assert!(settings.tcp_timestamps, "the machine's own way is not ours");
        let sysctls = Sysctls { untouched: values("1") };
        sysctls.apply_values(&mut settings, &values("0"));
        assert!(!settings.tcp_timestamps);
    }

    #[test]
    fn the_namespace_is_read_by_the_names_of_the_table() {
        assert!(read().keys().all(|name| name.starts_with("net.")));
    }
}
