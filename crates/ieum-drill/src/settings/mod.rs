//! What scripts set on Linux, and what that means here: one table.
//!
//! A row says what a sysctl means, what its value is when nobody sets it, and what becomes of another one: it is
//! applied, or ieum does it that way anyway, or it asks for something that ieum does not have (which is *named* should
//! the script then fail), or it has no counterpart (and the row says why that does no harm).
//!
//! Adding a feature to the stack means to change its row here: `Only` becomes `Sets`, with a field of [`Settings`] that
//! [`crate::machine`] hands on; and to take the feature out of [`crate::wants`]. The table is in `sysctl`, what values mean
//! in `value`.

mod sysctl;
mod value;

use std::fmt::Write;

use ieum_stack::{EcnRules, StackConfig, TcpRules, TcpSettings};

use self::sysctl::Becomes::{Ignored, Only, Sets};
use self::sysctl::ROWS;

/// What a script has set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Offer and accept timestamps.
    pub tcp_timestamps: bool,
    /// Offer and accept selective acknowledgements.
    pub tcp_sack: bool,
    /// Offer and accept scaled windows.
    pub tcp_window_scaling: bool,
    /// Who begins with ECN.
    pub tcp_ecn: EcnRules,
    /// The link's MTU, where a command set it before the first event.
    pub mtu_bytes: Option<u32>,
    /// What holds for all of TCP.
    pub tcp_rules: TcpRules,
    /// What was learnt of peers is to be forgotten.
    pub forgets_paths: bool,
    /// What streams have whose options say nothing else.
    pub tcp_defaults: TcpSettings,
    /// Options that every new stream socket is given: level, name, value.
    pub socket_defaults: Vec<(i32, i32, Vec<u8>)>,
    /// What was asked for and is not there, in words.
    pub missing: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tcp_timestamps: true,
            tcp_sack: true,
            tcp_window_scaling: true,
            tcp_ecn: EcnRules::default(),
            mtu_bytes: None,
            tcp_rules: TcpRules { fast_open_keys: None, ..TcpRules::default() },
            forgets_paths: false,
            tcp_defaults: TcpSettings::default(),
            socket_defaults: Vec::new(),
            missing: Vec::new(),
        }
    }
}

impl Settings {
    /// What a host must be made with, and cannot be told later.
    pub fn of_host(&self) -> impl PartialEq {
        self.mtu_bytes
    }

    /// What a stack is made with.
    pub fn of_stack(&self) -> StackConfig {
        // Scripts are told what they would be told by any host: the seed only has to be the same each time.
        let mut config = StackConfig::new([7; 32]);
        config.tcp_timestamps = self.tcp_timestamps;
        config.tcp_sack = self.tcp_sack;
        config.tcp_window_scaling = self.tcp_window_scaling;
        config.tcp_ecn = self.tcp_ecn.mode;
        config
    }

    /// The last value counts.
    fn default_of_sockets(&mut self, level: i32, name: i32, value: Vec<u8>) {
        self.socket_defaults.retain(|(of, other, _)| (*of, *other) != (level, name));
        self.socket_defaults.push((level, name, value));
    }

    /// Takes a sysctl by any of its names: `net.ipv4.tcp_sack`, `net/ipv4/tcp_sack`, `/proc/sys/net/ipv4/tcp_sack`.
    pub fn set(&mut self, name: &str, value: &str) {
        let dotted = name.trim_start_matches("/proc/sys/").replace('/', ".");
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let short = dotted.strip_prefix("net.").unwrap_or(&dotted);
        let row = ROWS.iter().find(|row| row.name == short);
        let missing = match row.map(|row| &row.becomes) {
            Some(Sets(apply)) => apply(self, &value).is_none(),
            Some(Only(values)) => !values.contains(&value.as_str()),
            Some(Ignored(_)) => false,
            None => true,
        };
        // The last value counts.
        self.missing.retain(|other| !other.starts_with(&format!("{dotted}=")));
        if missing {
            let meaning = row.map_or_else(String::new, |row| format!(": {}", row.meaning));
            self.missing.push(format!("{dotted}={value}{meaning}"));
        }
    }
}

/// The names of all sysctls that are known, as in `net.ipv4.tcp_sack`.
pub fn names() -> impl Iterator<Item = String> {
    ROWS.iter().map(|row| format!("net.{}", row.name))
}

/// The table, for people.
pub fn table() -> String {
    let mut text = String::new();
    let width = ROWS.iter().map(|row| row.name.len()).max().unwrap_or(0) + "net.".len();
    for row in ROWS {
        let becomes = match row.becomes {
            Sets(_) => "applied".to_owned(),
            Only(values) => format!("only {}", values.join(", ")),
            Ignored(why) => format!("ignored: {why}"),
        };
        let name = format!("net.{}", row.name);
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:width$}  {} (default {}); {becomes}", row.meaning, row.default);
    }
    text
}

#[cfg(test)]
mod tests {
    use ieum_socket::numbers::{IPPROTO_TCP, TCP_KEEPCNT};

    use super::*;

    #[test]
    fn a_setting_is_applied_named_or_ignored() {
        let mut settings = Settings::default();
        settings.set("net.ipv4.tcp_timestamps", "0");
        settings.set("/proc/sys/net/ipv4/tcp_keepalive_probes", "2");
        settings.set("net.ipv4.tcp_wmem", "4096  9000 9999");
        assert_eq!(settings.tcp_defaults.send_buffer_bytes, 9000);
        settings.set("net.ipv4.tcp_thin_linear_timeouts", "1");
        settings.set("net/ipv4/tcp_no_such_thing", "1");
        assert!(!settings.tcp_timestamps);
        assert_eq!(settings.socket_defaults, [(IPPROTO_TCP, TCP_KEEPCNT, 2i32.to_ne_bytes().to_vec())]);
        let thin = "net.ipv4.tcp_thin_linear_timeouts=1: thin streams without backoff";
        assert_eq!(settings.missing, [thin, "net.ipv4.tcp_no_such_thing=1"]);
        settings.set("net.ipv4.tcp_thin_linear_timeouts", "0");
        assert_eq!(settings.missing, ["net.ipv4.tcp_no_such_thing=1"]);
    }

    #[test]
    fn the_table_is_sorted_and_names_each_once() {
        assert!(ROWS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(table().lines().count(), ROWS.len());
    }
}
