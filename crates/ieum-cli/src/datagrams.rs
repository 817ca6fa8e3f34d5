//! `--udp`: who has the datagram sockets of the programs, the kernel in a namespace of the host's or ieum by carriers.

use std::str::FromStr;

use ieum_engine::{DeviceRoom, complain};
use ieum_run::namespace::{Helper, Namespace, Shadow};
use ieum_socket::Host;
use ieum_stack::LinkId;

use crate::Failure;
use crate::args::Run;

/// `auto`, `namespace` or `carrier`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Datagrams {
    /// The kernel where the machine allows it, else carriers.
    Auto,
    /// The kernel, or no run.
    Namespace,
    /// Carriers.
    Carrier,
}

impl FromStr for Datagrams {
    type Err = String;

    fn from_str(text: &str) -> Result<Datagrams, String> {
        match text {
            "auto" => Ok(Datagrams::Auto),
            "namespace" => Ok(Datagrams::Namespace),
            "carrier" => Ok(Datagrams::Carrier),
            _ => Err(format!("`{text}` is none of auto, namespace, carrier")),
        }
    }
}

/// The choice, as far as it has been made: a helper waits to make the namespace.
pub(crate) struct Choice {
    helper: Option<Helper>,
    /// There must be one.
    is_must: bool,
    is_verbose: bool,
}

/// The namespace, if there is one, and its devices, each with the host's name for the link to it.
pub(crate) type Settled = (Option<Namespace>, Vec<(LinkId, DeviceRoom)>);

/// Starts the helper of a namespace, where one is wanted: before anything is opened that it should not hold.
pub(crate) fn choose(run: &Run) -> Result<Choice, Failure> {
    let is_must = run.udp == Datagrams::Namespace;
    if is_must && run.raw {
        return Err(Failure::own(
            "--udp namespace and --raw do not go together: raw sockets hear the host's packets, and datagrams are not among \
             them there; leave one of the two out",
        ));
    }
    let choice = Choice { helper: None, is_must, is_verbose: run.verbose };
    match run.udp {
        Datagrams::Carrier => Ok(choice),
        Datagrams::Auto if run.raw => {
            choice.explain("raw sockets are to hear them (--raw)");
            Ok(choice)
        }
        Datagrams::Auto | Datagrams::Namespace => match Helper::start() {
            Ok(helper) => Ok(Choice { helper: Some(helper), ..choice }),
            Err(error) => choice.without(&error.to_string()).map(|()| choice),
        },
    }
}

impl Choice {
    /// Makes the namespace of the host, whose links are all there. `shared`: the one on which others come and go.
    pub(crate) fn settle(mut self, host: &mut Host, shared: Option<LinkId>) -> Result<Settled, Failure> {
        let Some(helper) = self.helper.take() else { return Ok((None, Vec::new())) };
        let (namespace, shadows) = match helper.set_up(host, shared) {
            Ok(made) => made,
            Err(reason) => return self.without(&reason).map(|()| (None, Vec::new())),
        };
        if self.is_verbose {
            let over = if shadows.iter().any(|shadow| shadow.device.is_veth()) { "veth" } else { "TUN" };
            complain(&format!("datagrams are the kernel's, in a namespace of the host's ({over})"));
        }
        let room = |Shadow { link, device }| (link, DeviceRoom::new(device, link, complain));
        Ok((Some(namespace), shadows.into_iter().map(room).collect()))
    }

    fn without(&self, reason: &str) -> Result<(), Failure> {
        if self.is_must {
            return Err(Failure::own(format!(
                "there can be no namespace for datagrams: {reason} (`--udp carrier` goes without)"
            )));
        }
        self.explain(reason);
        Ok(())
    }

    fn explain(&self, reason: &str) {
        if self.is_verbose {
            complain(&format!("datagrams go by carriers: {reason}"));
        }
    }
}
