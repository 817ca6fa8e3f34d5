//! The other end of the host's link: the way to the machine's sockets, as it was asked for.

use ieum_engine::complain;
use ieum_exit::{Exit, ExitConfig, NAME_ADDRESSES_MAX, Named, Resolvers};

use crate::Failure;
use crate::args::Run;
use crate::host::Addresses;
use crate::seed::seed;

/// Is anything to pass the exit: a way out, a way in, or an answer to who asks for a name? Where an interface is at the
/// link's other end, nothing is.
pub(crate) fn is_wanted(run: &Run) -> bool {
    let interface = run.tun.is_some() || run.tap.is_some();
    let names = !run.hosts.is_empty() || run.net.is_some();
    !interface && (!run.no_exit || !run.published.is_empty() || names)
}

/// The exit; `None` where nothing is to pass it.
pub(crate) fn exit(run: &Run, addresses: &Addresses, resolvers: Resolvers) -> Result<Option<Exit>, Failure> {
    if !is_wanted(run) {
        return Ok(None);
    }
    check_names(&run.hosts)?;
    let exit = Exit::new(ExitConfig {
        seed: seed()?,
        tcp_timestamps: !run.no_timestamps,
        ip4: Some(addresses.ip4),
        ip6: addresses.ip6,
        outbound: !run.no_exit,
        resolvers,
        names: run.hosts.clone(),
        publish: run.published.clone(),
    })
    .map_err(|error| Failure::own(error.to_string()))?;
    // A port that was left to us is not known otherwise.
    for (published, asked) in exit.published().zip(&run.published) {
        if asked.outside.port() == 0 {
            complain(&format!("published {published}"));
        }
    }
    Ok(Some(exit))
}

/// No name may mean more addresses than an answer has room for.
fn check_names(names: &[Named]) -> Result<(), Failure> {
    for named in names {
        let alike = |other: &&Named| {
            other.name() == named.name() && other.address().is_ipv4() == named.address().is_ipv4()
        };
        if names.iter().filter(alike).count() > NAME_ADDRESSES_MAX {
            return Err(Failure::own(format!(
                "--host {}: a name has at most {NAME_ADDRESSES_MAX} addresses of each family",
                named.name()
            )));
        }
    }
    Ok(())
}
