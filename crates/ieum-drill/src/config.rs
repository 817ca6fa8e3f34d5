//! What can be chosen for a script, on the command line and in the script itself, with packetdrill's names and defaults.
//!
//! The script's options are applied first and those of the command line after them, so that the latter win.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use ieum_socket::Domain;

use crate::machine::Wire;
use crate::script::Script;
use crate::stop::Stop;
use crate::symbols;

/// One of packetdrill's options.
#[derive(Clone, Copy, Debug)]
pub struct OptionName {
    /// Without dashes.
    pub name: &'static str,
    /// What its value is called; a flag has none.
    pub value: Option<&'static str>,
    /// What it means, and its default.
    pub help: &'static str,
}

const fn takes(name: &'static str, value: &'static str, help: &'static str) -> OptionName {
    OptionName { name, value: Some(value), help }
}

const fn flag(name: &'static str, help: &'static str) -> OptionName {
    OptionName { name, value: None, help }
}

const OF_DEVICE: &str = "Of a device; means nothing here";
const OF_MEMORY: &str = "Of memory; means nothing here";
const OF_INTERPRETER: &str = "Code is read by ieum itself; means nothing here";
const OTHER_MACHINE: &str = "Another machine as the peer: unsupported";
const OTHER_STACK: &str = "Another stack: unsupported";

/// All of packetdrill's options but `define`, in alphabetical order.
pub const OPTIONS: &[OptionName] = &[
    takes("bind_port", "PORT", "The port that sockets are bound to [default: 8080]"),
    takes("code_command", "COMMAND", OF_INTERPRETER),
    takes("code_format", "FORMAT", OF_INTERPRETER),
    takes("code_sockopt", "NAME", OF_INTERPRETER),
    takes("connect_port", "PORT", "The port that sockets connect to [default: 8080]"),
    flag("debug", "Means nothing here"),
    flag("dry_run", "Only read scripts"),
    takes("gateway_ip", "ADDR", OF_DEVICE),
    takes("init_scripts", "FILES", "Commands before each script: unsupported"),
    takes("ip_version", "VERSION", "ipv4, ipv4-mapped-ipv6 or ipv6 [default: ipv4]"),
    flag("is_anyip", OF_DEVICE),
    takes("local_ip", "ADDR", "The host's address [default: 192.168.0.1 or fd3d:fa7b:d17d::1]"),
    takes("mss", "BYTES", "The size of the parts of super-segments that come in"),
    takes("mtu", "BYTES", "The link's MTU [default: 1500]"),
    takes("netmask_ip", "MASK", OF_DEVICE),
    takes("non_fatal", "KINDS", "Kinds of errors that only warn: packet, syscall"),
    takes("psp_udp_port", "PORT", "PSP: unsupported"),
    takes("remote_ip", "ADDR", "The peer's address [default: 192.0.2.1 or 2001:db8::1]"),
    flag("send_omit_free", OF_MEMORY),
    takes("so_filename", "FILE", OTHER_STACK),
    takes("so_flags", "FLAGS", OTHER_STACK),
    takes("speed", "MBPS", OF_DEVICE),
    flag(
        "strict_segments",
        "What goes out must have the sizes that the script says; super-segments are not cut",
    ),
    flag("tcp_ts_ecr_scaled", "Timestamps to be echoed are reckoned from the first one"),
    takes("tcp_ts_tick_usecs", "US", "Compare timestamps of what goes out, with ticks of that length"),
    takes(
        "tolerance_percent",
        "PERCENT",
        "How far off anything may be, of the time since the event before [default: 12.5]",
    ),
    takes(
        "tolerance_usecs",
        "US",
        "How far off anything may be; the larger of the two counts [default: 4000]",
    ),
    flag("wire_client", OTHER_MACHINE),
    takes("wire_client_dev", "DEVICE", OTHER_MACHINE),
    flag("wire_server", OTHER_MACHINE),
    takes("wire_server_at", "ADDR", OTHER_MACHINE),
    takes("wire_server_dev", "DEVICE", OTHER_MACHINE),
    takes("wire_server_ip", "ADDR", OTHER_MACHINE),
    takes("wire_server_port", "PORT", OTHER_MACHINE),
];

/// Options as they were given: names without dashes, and values.
#[derive(Clone, Default, Debug)]
pub struct Options {
    given: Vec<(String, Option<String>)>,
}

impl Options {
    /// Adds one option; a flag has no value.
    pub fn push(&mut self, name: &str, value: Option<&str>) {
        self.given.push((name.to_owned(), value.map(str::to_owned)));
    }

    /// Names that mean something else in a script (`--define NAME=VALUE`).
    pub fn defines(&self) -> BTreeMap<String, String> {
        let of = |wanted: &'static str| self.given.iter().filter(move |(name, _)| name == wanted);
        let version = of("ip_version").next_back().map(|(_, value)| symbols::conventions(value.as_deref()));
        let conventions = version.into_iter().flatten();
        let given = of("define").filter_map(|(_, value)| value.as_deref()?.split_once('='));
        conventions.chain(given).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// The least that a link of IPv4 may carry, in bytes (RFC 791 §3.2).
const MTU_BYTES_MIN: u32 = 68;

/// Of which families sockets and packets are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IpVersion {
    Ip4,
    /// Sockets of IPv6 that speak IPv4.
    Mapped,
    Ip6,
}

/// What holds for one run of a script.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) ip_version: IpVersion,
    bind_port: u16,
    connect_port: u16,
    local_ip: Option<IpAddr>,
    remote_ip: Option<IpAddr>,
    pub(crate) mtu_bytes: u32,
    /// Segments that come in are super-segments of this size, should they be larger.
    pub(crate) mss: Option<u16>,
    tolerance_us: i64,
    /// Of the time since the event before, in thousandths; the larger of the two tolerances counts.
    tolerance_per_mille: i64,
    pub(crate) ts_echo_scaled: bool,
    /// Microseconds of a tick of outbound timestamps; 0: their values are not compared.
    pub(crate) ts_tick_us: i64,
    pub(crate) strict_segments: bool,
    pub(crate) non_fatal_packet: bool,
    pub(crate) non_fatal_syscall: bool,
    pub(crate) dry_run: bool,
    pub(crate) verbose: bool,
}

/// What a script and options say about the link.
#[derive(Clone, Debug)]
pub struct Link {
    /// The link, and the host at its end.
    pub wire: Wire,
    /// Segments that come in are super-segments of this size, should they be larger.
    pub mss_bytes: Option<u16>,
}

impl Link {
    /// Reads a script for its options, which count for less than those given; `None` if something is wrong with them.
    pub fn of(script: &str, options: &Options) -> Option<Link> {
        let script = Script::parse(script, &options.defines()).ok()?;
        let config = Config::of(&script, options).ok()?;
        Some(Link { wire: config.wire(), mss_bytes: config.mss })
    }
}

impl Config {
    /// The defaults, changed by the options of a script and then by those of the command line.
    pub(crate) fn of(script: &Script, options: &Options) -> Result<Config, Stop> {
        let mut config = Config {
            ip_version: IpVersion::Ip4,
            bind_port: 8080,
            connect_port: 8080,
            local_ip: None,
            remote_ip: None,
            mtu_bytes: 1500,
            mss: None,
            tolerance_us: 4000,
            tolerance_per_mille: 125,
            ts_echo_scaled: false,
            ts_tick_us: 0,
            strict_segments: false,
            non_fatal_packet: false,
            non_fatal_syscall: false,
            dry_run: false,
            verbose: false,
        };
        for option in &script.options {
            let place = option.place;
            let set = config.set(&option.name, option.value.as_deref());
            set.map_err(|stop| stop.map(|sentence| format!("{}:{}: {sentence}", place.line, place.column)))?;
        }
        options.given.iter().try_for_each(|(name, value)| config.set(name, value.as_deref()))?;
        let wanted = matches!(config.ip_version, IpVersion::Ip6);
        for address in [config.local_ip, config.remote_ip].into_iter().flatten() {
            if address.is_ipv6() != wanted {
                return Err(Stop::failed(format!("{address} is not of the family that --ip_version says")));
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Stop> {
        match name {
            "ip_version" => self.ip_version = ip_version(value)?,
            "bind_port" => self.bind_port = number::<NonZeroU16>(name, value)?.get(),
            "connect_port" => self.connect_port = number::<NonZeroU16>(name, value)?.get(),
            "local_ip" => self.local_ip = Some(address(name, value)?),
            "remote_ip" => self.remote_ip = Some(address(name, value)?),
            "mtu" => match number(name, value)? {
                bytes if bytes >= MTU_BYTES_MIN => self.mtu_bytes = bytes,
                bytes => return Err(Stop::failed(format!("bad --mtu: {bytes}"))),
            },
            "mss" => self.mss = Some(number::<NonZeroU16>(name, value)?.get()),
            "define" if value.is_none_or(|value| !value.contains('=')) => {
                return Err(Stop::failed("--define wants NAME=VALUE"));
            }
            "tolerance_usecs" => self.tolerance_us = number(name, value)?,
            "tolerance_percent" => self.tolerance_per_mille = per_mille(name, value)?,
            "tcp_ts_ecr_scaled" => self.ts_echo_scaled = true,
            "tcp_ts_tick_usecs" => self.ts_tick_us = number(name, value)?,
            "strict_segments" => self.strict_segments = true,
            "non_fatal" => self.non_fatal(value.unwrap_or("")),
            "dry_run" => self.dry_run = true,
            "verbose" => self.verbose = true,
            // The link has one other end, which answers for every address; memory of calls is always freed; code is
            // read here and not by an interpreter that could be chosen.
            "gateway_ip" | "netmask_ip" | "is_anyip" | "speed" | "send_omit_free" | "debug" | "define" => {}
            "code_command" | "code_format" | "code_sockopt" => {}
            "wire_client" | "wire_server" | "wire_server_ip" | "wire_server_at" | "wire_server_port"
            | "wire_client_dev" | "wire_server_dev" | "so_filename" | "so_flags" | "init_scripts"
            | "psp_udp_port" => return Err(Stop::unsupported(format!("--{name}"))),
            _ => return Err(Stop::failed(format!("no such option: --{name}"))),
        }
        Ok(())
    }

    fn non_fatal(&mut self, kinds: &str) {
        for kind in kinds.split([',', ' ']) {
            self.non_fatal_packet |= kind == "packet";
            self.non_fatal_syscall |= kind == "syscall";
        }
    }

    /// The link that the host is given.
    pub(crate) fn wire(&self) -> Wire {
        Wire { mtu_bytes: self.mtu_bytes, addresses: vec![self.local().ip()], whole: self.strict_segments }
    }

    /// Of which family a socket is whose script does not say.
    pub(crate) fn domain(&self) -> Domain {
        match self.ip_version {
            IpVersion::Ip4 => Domain::Ip4,
            IpVersion::Mapped | IpVersion::Ip6 => Domain::Ip6,
        }
    }

    /// The host's address and port in packets.
    pub(crate) fn local(&self) -> SocketAddr {
        // The original takes one of 192.168/16 or fd3d:fa7b:d17d::/48 by chance.
        let default: IpAddr = match self.ip_version {
            IpVersion::Ip4 | IpVersion::Mapped => Ipv4Addr::new(192, 168, 0, 1).into(),
            IpVersion::Ip6 => Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1).into(),
        };
        SocketAddr::new(self.local_ip.unwrap_or(default), self.bind_port)
    }

    /// The peer's address in packets, and the port that sockets connect to.
    pub(crate) fn remote(&self) -> SocketAddr {
        let default: IpAddr = match self.ip_version {
            IpVersion::Ip4 | IpVersion::Mapped => Ipv4Addr::new(192, 0, 2, 1).into(),
            IpVersion::Ip6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        };
        SocketAddr::new(self.remote_ip.unwrap_or(default), self.connect_port)
    }

    /// An address as a socket of the script's family names it.
    pub(crate) fn as_named(&self, address: SocketAddr) -> SocketAddr {
        match (self.ip_version, address.ip()) {
            (IpVersion::Mapped, IpAddr::V4(ip)) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
            }
            (IpVersion::Mapped | IpVersion::Ip4 | IpVersion::Ip6, _) => address,
        }
    }

    /// How far off an event may be whose predecessor was `since_us` before.
    pub(crate) fn tolerance_us(&self, since_us: Option<i64>) -> i64 {
        let dynamic = since_us.map_or(0, |since| since.saturating_mul(self.tolerance_per_mille) / 1000);
        self.tolerance_us.max(dynamic)
    }
}

fn ip_version(value: Option<&str>) -> Result<IpVersion, Stop> {
    match value {
        Some("ipv4") => Ok(IpVersion::Ip4),
        Some("ipv4-mapped-ipv6") => Ok(IpVersion::Mapped),
        Some("ipv6") => Ok(IpVersion::Ip6),
        _ => Err(Stop::failed("--ip_version wants ipv4, ipv4-mapped-ipv6 or ipv6")),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: Option<&str>) -> Result<T, Stop> {
    let number = value.and_then(|value| value.parse().ok());
    number.ok_or_else(|| Stop::failed(format!("bad --{name}: {}", value.unwrap_or("no value"))))
}

/// An address; its prefix length, should there be one, means nothing here.
fn address(name: &str, value: Option<&str>) -> Result<IpAddr, Stop> {
    let text = value.map(|value| value.split('/').next().unwrap_or(value));
    number(name, text)
}

/// A percentage, in thousandths.
fn per_mille(name: &str, value: Option<&str>) -> Result<i64, Stop> {
    let (whole, tenth) =
        value.and_then(|value| value.split_once('.')).unwrap_or_else(|| (value.unwrap_or(""), "0"));
    let tenth = tenth.get(..1).unwrap_or("0");
    number(name, Some(&format!("{whole}{tenth}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, options: &[(&str, Option<&str>)]) -> Result<Config, Stop> {
        let mut given = Options::default();
        options.iter().for_each(|(name, value)| given.push(name, *value));
        Config::of(&Script::parse(&format!("{text}\n0 `true`"), &given.defines()).unwrap(), &given)
    }

    #[test]
    fn the_command_line_wins() {
        let config = config("--mtu=1400\n--tolerance_percent=2.5", &[("mtu", Some("1300"))]).unwrap();
        assert_eq!((config.mtu_bytes, config.tolerance_per_mille), (1300, 25));
        assert_eq!(config.tolerance_us(Some(1_000_000)), 25_000);
        assert_eq!(config.tolerance_us(None), 4000);
    }

    #[test]
    fn every_option_is_known_here_and_sorted() {
        assert!(OPTIONS.is_sorted_by(|a, b| a.name < b.name));
        for option in OPTIONS {
            let set = config("", &[(option.name, option.value.map(|_| "1"))]);
            let unknown = Stop::failed(format!("no such option: --{}", option.name));
            assert!(set.err() != Some(unknown), "{}", option.name);
        }
    }

    #[test]
    fn what_is_wrong_and_what_is_missing_are_told_apart() {
        assert_eq!(config("--so_flags=10", &[]).unwrap_err(), Stop::unsupported("--so_flags"));
        assert_eq!(config("--mut=10", &[]).unwrap_err(), Stop::failed("1:1: no such option: --mut"));
        assert_eq!(config("", &[("mtu", Some("x"))]).unwrap_err(), Stop::failed("bad --mtu: x"));
        assert_eq!(config("", &[("mtu", Some("67"))]).unwrap_err(), Stop::failed("bad --mtu: 67"));
        assert_eq!(config("--mss=0", &[]).unwrap_err(), Stop::failed("1:1: bad --mss: 0"));
        assert_eq!(config("", &[("bind_port", Some("0"))]).unwrap_err(), Stop::failed("bad --bind_port: 0"));
        assert_eq!(
            config("", &[("define", Some("X"))]).unwrap_err(),
            Stop::failed("--define wants NAME=VALUE")
        );
        let family = config("--ip_version=ipv6", &[("local_ip", Some("10.0.0.1"))]);
        assert!(matches!(family, Err(Stop::Failed(_))));
    }
}
