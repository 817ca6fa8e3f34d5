//! What can be typed.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};
use ieum_control::Name;
use ieum_exit::{Named, Publish};
use ieum_wire::Cidr;

use crate::datagrams::Datagrams;
use crate::drill::Typed as Drill;
use crate::forward::Typed as Forward;
use crate::lab::Typed as Lab;
use crate::tour::Typed as Tour;
use crate::tun::{FaultSpec, Interface};

/// Network sockets of their own for unmodified programs, in user space.
#[derive(Parser, Debug)]
#[command(name = "ieum", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What ieum can be asked to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a program on its own network host, without root
    Run(Box<Run>),
    /// Show the sockets of programs under ieum
    Ss(Ss),
    /// Forward ports to other addresses, of this machine or of a running host
    Forward(Forward),
    /// Run scripts in packetdrill's language against a host in virtual time
    Drill(Box<Drill>),
    /// Run worlds from a seed, and experiments with flows, in virtual time
    Lab(Box<Lab>),
    /// Explain what a socket is by running it, in English or Korean
    Tour(Tour),
}

/// `ieum ss`.
#[derive(Arguments, Debug)]
pub(crate) struct Ss {
    /// Of the host NAME alone (or of the one without a name that is process NUMBER's)
    #[arg(long = "in", value_name = "NAME")]
    pub(crate) within: Option<Name>,

    /// As a JSON array
    #[arg(long)]
    pub(crate) json: bool,

    /// Instead of sockets, how many packets were dropped, by reason
    #[arg(long)]
    pub(crate) drops: bool,
}

/// `ieum run`.
#[derive(Arguments, Debug)]
#[command(after_help = "\
The program's sockets live in ieum: 127.0.0.1 and ::1 are its own, every port is free. 10.77.0.1 is this machine's
127.0.0.1 and fd77::1 its ::1, other addresses are reached through this machine. ieum ends with the program's exit
code; 125, 126 and 127 are ieum's own failure, a program that cannot be executed, and one that is not found.

Examples:
  ieum run -- curl -sS http://10.77.0.1:8000/
  ieum run -p 8080:80 -- python3 -m http.server 80
  ieum run --capture web.pcapng -- curl -sS http://10.77.0.1:8000/")]
pub(crate) struct Run {
    /// Publish a port of the program on this machine: on 127.0.0.1 unless ADDR is given (IPv6 in brackets, as in
    /// `[::1]:8080:80`); port 0 takes a free one; names of services (http) are ports too
    #[arg(short = 'p', long = "publish", value_name = "[ADDR:]PORT:PORT[/udp]")]
    pub(crate) published: Vec<Publish>,

    /// Write what crosses the host's link to a pcapng file
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,

    /// Give the host no way out: every other address is unreachable (published ports still lead in)
    #[arg(long)]
    pub(crate) no_exit: bool,

    /// Let the program have raw sockets (SOCK_RAW), inside its host: it hears all packets that come there, and sends any
    #[arg(long)]
    pub(crate) raw: bool,

    /// Who serves the program's UDP sockets: `namespace`, the kernel, in a network namespace that leads to the host alone and
    /// needs user namespaces; `carrier`, ieum, a call for each datagram; `auto`, the first where it can be
    #[arg(long, value_name = "auto|namespace|carrier", default_value = "auto")]
    pub(crate) udp: Datagrams,

    /// Let NAME mean ADDR for the program; give it again for more addresses or names (this machine's /etc/hosts comes
    /// first)
    #[arg(long = "host", value_name = "NAME=ADDR")]
    pub(crate) hosts: Vec<Named>,

    /// Call the host NAME, so that other programs can be put on it with --in; it lives until the last of them ends
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<Name>,

    /// Run the program on the host NAME, which `ieum run --name NAME` has made, beside the programs that are there
    #[arg(long = "in", value_name = "NAME", conflicts_with_all = ["published", "capture", "no_exit", "raw", "udp", "hosts", "name",
        "net", "address", "gateway", "address6", "gateway6", "no_ipv6", "no_timestamps", "tun", "tap", "mtu",
        "no_offload", "fault", "verbose"])]
    pub(crate) within: Option<Name>,

    /// With --in: reach the program's memory through its own ieum process even where the kernel allows the host's to look
    #[arg(long, help_heading = "Diagnosis", requires = "within")]
    pub(crate) through: bool,

    /// With --in: do not keep the host alive
    #[arg(long, hide = true, requires = "within")]
    pub(crate) attends: bool,

    /// Put the host on the link of NET, with the others that are there: each has the next free address of 10.77.0.0/24 and
    /// fd77::/64, and a name below NET.ieum
    #[arg(long, value_name = "NET", conflicts_with_all = ["tun", "tap", "no_ipv6"])]
    pub(crate) net: Option<Name>,

    /// The host's IPv4 address and network [default: 10.77.0.2/24; in a net, the next free one]
    #[arg(long, value_name = "ADDR/PREFIX")]
    pub(crate) address: Option<Cidr>,

    /// The exit's address in that network, which stands for this machine
    #[arg(long, value_name = "ADDR", default_value = "10.77.0.1")]
    pub(crate) gateway: IpAddr,

    /// The host's IPv6 address and network [default: fd77::2/64; in a net, the next free one]
    #[arg(long, value_name = "ADDR/PREFIX")]
    pub(crate) address6: Option<Cidr>,

    /// The exit's address in that network
    #[arg(long, value_name = "ADDR", default_value = "fd77::1")]
    pub(crate) gateway6: IpAddr,

    /// Give the host no IPv6 address but ::1
    #[arg(long, conflicts_with_all = ["address6", "gateway6"])]
    pub(crate) no_ipv6: bool,

    /// Offer no TCP timestamps, so that a full segment carries 1460 bytes
    #[arg(long)]
    pub(crate) no_timestamps: bool,

    /// Instead of an exit, a TUN interface: the kernel is at the link's other end, as the gateway. It is made, which needs
    /// CAP_NET_ADMIN, and goes with ieum; `keep` uses one that is there
    #[arg(long, value_name = "NAME[,keep]", conflicts_with = "tap")]
    pub(crate) tun: Option<Interface>,

    /// The same with a TAP interface: Ethernet, ARP and neighbour discovery
    #[arg(long, value_name = "NAME[,keep]")]
    pub(crate) tap: Option<Interface>,

    /// The MTU of the interface that --tun or --tap makes [default: 1500]
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<u32>,

    /// Cut packets and compute checksums in ieum, whatever the interface could do
    #[arg(long, help_heading = "Diagnosis")]
    pub(crate) no_offload: bool,

    /// Lose and reorder parts of the frames between host and interface, by a seed
    #[arg(long, help_heading = "Diagnosis", value_name = "loss=0.01,reorder=0.01,seed=1")]
    pub(crate) fault: Option<FaultSpec>,

    /// Say at the end what was dropped, and why
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

impl Run {
    /// The host's IPv4 address and network, should nobody else say.
    pub(crate) fn address4(&self) -> Cidr {
        self.address.unwrap_or_else(|| cidr(Ipv4Addr::new(10, 77, 0, 2).into(), 24))
    }

    /// The same in IPv6.
    pub(crate) fn address6(&self) -> Cidr {
        self.address6.unwrap_or_else(|| cidr(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2).into(), 64))
    }
}

fn cidr(address: IpAddr, prefix_bits: u8) -> Cidr {
    Cidr::new(address, prefix_bits).expect("a default's prefix fits its address")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_programs_own_flags_are_the_programs() {
        let args =
            Args::parse_from(["ieum", "run", "-p", "8080:80", "--", "python3", "-m", "http.server", "-p"]);
        let Command::Run(run) = args.command else { panic!("`ieum run` was typed") };
        assert_eq!(run.program, ["python3", "-m", "http.server", "-p"]);
        assert_eq!(run.published.len(), 1);
    }
}
