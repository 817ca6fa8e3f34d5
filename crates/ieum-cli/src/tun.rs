//! `--tun` and `--tap`: the machine's kernel at the other end of the host's link, in the place of an exit.
//!
//! The interface that is made has the gateway's addresses at the kernel's end and is up before the program starts. One that
//! is kept is used as it stands.

use std::str::FromStr;
use std::time::Duration;

use ieum_device::Tun;
use ieum_device::fault::Faults;
use ieum_device::faulty::Faulty;
use ieum_device::tun::{TunConfig, TunKind};
use ieum_engine::{DeviceRoom, complain};
use ieum_stack::{LinkConfig, LinkId, Medium};
use ieum_wire::Cidr;
use ieum_wire::ethernet::MacAddress;

use crate::Failure;
use crate::args::Run;
use crate::host::Addresses;
use crate::seed::seed;

/// The MTU of an interface that is made, as that of most wires.
const MTU_BYTES_DEFAULT: u32 = 1500;

/// The least MTU: every IPv4 link takes so much (RFC 791 §3.2).
const MTU_BYTES_MIN: u32 = 68;

/// The least MTU for IPv6 (RFC 8200 §5).
const MTU_BYTES_MIN_IP6: u32 = 1280;

/// The largest MTU: an IPv4 packet's; on a TAP interface the frame's header is counted by the kernel too.
const MTU_BYTES_MAX: u32 = 65_535;

/// Bytes of an Ethernet header.
const ETHERNET_HEADER_BYTES: u32 = 14;

/// How late a frame comes that `--fault` reorders, at most: a few flights of a fast link.
const REORDER_DELAY: Duration = Duration::from_millis(2);

/// `NAME[,keep]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    name: String,
    keep: bool,
}

impl FromStr for Interface {
    type Err = String;

    fn from_str(text: &str) -> Result<Interface, String> {
        match text.split_once(',') {
            None => Ok(Interface { name: text.to_owned(), keep: false }),
            Some((name, "keep")) => Ok(Interface { name: name.to_owned(), keep: true }),
            Some((_, other)) => Err(format!("`{other}` is not `keep`, all that may follow the comma")),
        }
    }
}

/// `loss=0.01,reorder=0.01,seed=7`, each part optional.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FaultSpec {
    faults: Faults,
    seed: u64,
}

impl FromStr for FaultSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultSpec, String> {
        let faults = Faults { reorder_delay: REORDER_DELAY, ..Faults::default() };
        let mut spec = FaultSpec { faults, seed: 0 };
        for part in text.split(',') {
            let not =
                || format!("`{part}` is none of loss=PART, reorder=PART, seed=NUMBER; a part is 0 to 1");
            let (word, value) = part.split_once('=').ok_or_else(not)?;
            match word {
                "loss" => spec.faults.lose_ppm = parts_of_a_million(value).ok_or_else(not)?,
                "reorder" => spec.faults.reorder_ppm = parts_of_a_million(value).ok_or_else(not)?,
                "seed" => spec.seed = value.parse().map_err(|_| not())?,
                _ => return Err(not()),
            }
        }
        Ok(spec)
    }
}

/// `0.01` as 10,000; `None` when it is not from 0 to 1.
fn parts_of_a_million(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 6 {
        return None;
    }
    let part = whole.parse::<u32>().ok()?.checked_mul(1_000_000)?;
    let ppm = part.checked_add(format!("{rest:0<6}").parse().ok()?)?;
    (ppm <= 1_000_000).then_some(ppm)
}

/// The interface that was asked for, and its kind.
fn asked(run: &Run) -> Option<(TunKind, &Interface)> {
    let tun = run.tun.as_ref().map(|interface| (TunKind::Tun, interface));
    tun.or_else(|| run.tap.as_ref().map(|interface| (TunKind::Tap, interface)))
}

/// What cannot go together, and why.
pub(crate) fn check(run: &Run) -> Result<(), Failure> {
    let Some((kind, interface)) = asked(run) else {
        for (given, what) in [
            (run.mtu.is_some(), "--mtu is the MTU of an interface"),
            (run.no_offload, "--no-offload is about an interface"),
            (run.fault.is_some(), "--fault stands between a host and its interface"),
        ] {
            if given {
                return Err(Failure::own(format!("{what}: give --tun NAME or --tap NAME too")));
            }
        }
        return Ok(());
    };
    let option = format!("--{}", kind.word());
    if !run.published.is_empty() {
        return Err(Failure::own(format!(
            "-p publishes a port at an exit, and with {option} there is none: \
             this machine reaches the host's ports at {} directly",
            run.address4().address()
        )));
    }
    if run.no_exit {
        return Err(Failure::own(format!("--no-exit goes without saying: with {option} there is no exit")));
    }
    if !run.hosts.is_empty() {
        return Err(Failure::own(format!(
            "--host gives names to an exit's name service, and with {option} there is none"
        )));
    }
    check_mtu(run, kind, interface)
}

fn check_mtu(run: &Run, kind: TunKind, interface: &Interface) -> Result<(), Failure> {
    let Some(mtu) = run.mtu else { return Ok(()) };
    if interface.keep {
        let name = &interface.name;
        return Err(Failure::own(format!(
            "--mtu changes nothing about an interface that is kept: `ip link set {name} mtu {mtu}` does, before"
        )));
    }
    let max = match kind {
        TunKind::Tun => MTU_BYTES_MAX,
        TunKind::Tap => MTU_BYTES_MAX - ETHERNET_HEADER_BYTES,
    };
    if !(MTU_BYTES_MIN..=max).contains(&mtu) {
        return Err(Failure::own(format!(
            "an MTU of {mtu} bytes is not possible: take {MTU_BYTES_MIN} to {max}"
        )));
    }
    if mtu < MTU_BYTES_MIN_IP6 && !run.no_ipv6 {
        return Err(Failure::own(format!(
            "IPv6 needs an MTU of {MTU_BYTES_MIN_IP6} bytes: give that, or --no-ipv6 with one of {mtu}"
        )));
    }
    Ok(())
}

/// Opens the interface that was asked for and, if it is not kept, sets it up with the gateway's addresses.
pub(crate) fn open(run: &Run, addresses: &Addresses) -> Result<Option<Tun>, Failure> {
    let Some((kind, interface)) = asked(run) else { return Ok(None) };
    let (name, keep) = (interface.name.clone(), interface.keep);
    let config = TunConfig { name, kind, keep, offload: !run.no_offload };
    let mut tun = Tun::open(&config).map_err(|error| Failure::own(error.to_string()))?;
    if keep && matches!(tun.is_up(), Ok(false)) {
        let name = tun.name();
        complain(&format!(
            "the interface {name} is down, and nothing crosses it before `ip link set {name} up`"
        ));
    }
    if !keep {
        let mtu_bytes = run.mtu.unwrap_or(MTU_BYTES_DEFAULT);
        let gateways: Vec<Cidr> = addresses.families().map(|(ends, _)| ends.own).collect();
        let absent = tun.set_up(mtu_bytes, &gateways);
        for address in absent.map_err(|error| Failure::own(error.to_string()))? {
            complain(&format!("{} has no {address}: this machine has IPv6 switched off", tun.name()));
        }
    }
    Ok(Some(tun))
}

/// The host's end of the link.
pub(crate) fn link(tun: &Tun) -> Result<LinkConfig, Failure> {
    let medium = match tun.kind() {
        TunKind::Tun => Medium::Ip,
        TunKind::Tap => Medium::Ethernet(own_address()?),
    };
    // The room cuts for a device that cannot: the host's TCP always works in super-segments.
    Ok(LinkConfig { mtu_bytes: tun.mtu_bytes(), medium, ..LinkConfig::in_process() })
}

/// A locally administered address of one station (IEEE 802, clause 8): nobody else's, as chance is good.
fn own_address() -> Result<MacAddress, Failure> {
    let [first, b, c, d, e, f, ..] = seed()?;
    Ok(MacAddress([first & !1 | 2, b, c, d, e, f]))
}

/// The other end of the link.
pub(crate) fn room(run: &Run, tun: Tun, host_link: LinkId) -> DeviceRoom {
    let room = DeviceRoom::new(tun, host_link, complain);
    match run.fault {
        Some(FaultSpec { faults, seed }) => room.with_faults(Faulty::new(faults, seed)),
        None => room,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_a_name_and_perhaps_kept() {
        let interface = |name: &str, keep| Ok(Interface { name: name.to_owned(), keep });
        assert_eq!("tun0".parse(), interface("tun0", false));
        assert_eq!("tun0,keep".parse(), interface("tun0", true));
        assert!("tun0,kept".parse::<Interface>().is_err());
    }

    #[test]
    fn faults_are_parts_of_one() {
        let spec: FaultSpec = "loss=0.01,reorder=0.5,seed=7".parse().unwrap();
        assert_eq!((spec.faults.lose_ppm, spec.faults.reorder_ppm, spec.seed), (10_000, 500_000, 7));
        for wrong in ["", "loss", "loss=2", "loss=1.000001", "loss=-1", "loss=0.0000001", "seed=x", "delay=1"]
        {
            assert!(wrong.parse::<FaultSpec>().is_err(), "{wrong}");
        }
        assert_eq!(parts_of_a_million("1"), Some(1_000_000));
        assert_eq!(parts_of_a_million("0.000001"), Some(1));
    }
}
