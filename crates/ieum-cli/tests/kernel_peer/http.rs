//! One file by HTTP, from nginx on one side to curl on the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::support::{Folder, Running, fetch_and_sum, fetched_sum, ieum, nginx};

/// Where nginx listens.
const PORT: u16 = 8080;

/// nginx with the files of `root`, in the family of `address`.
pub(crate) fn server(folder: &Folder, root: &str, address: &str) -> Vec<String> {
    let family = if address.contains(':') { "[::]:" } else { "" };
    nginx(folder, &format!("listen {family}{PORT}; root {root};"), false)
}

/// nginx on ieum, reached by the kernel at `address`.
pub(crate) fn server_on_ieum(flags: &[&str], folder: &Folder, root: &str, address: &str) -> Running {
    let command = server(folder, root, address);
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut running = Running::start(&ieum(flags, &words));
    running.connect(SocketAddr::new(address.parse().expect("a host has an address"), PORT));
    running
}

/// nginx on the kernel, to be reached at `address`, which may not be there yet.
pub(crate) fn server_on_kernel(folder: &Folder, root: &str, address: &str) -> Running {
    let mut running = Running::start(&server(folder, root, address));
    let loopback =
        if address.contains(':') { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    running.connect(SocketAddr::new(loopback, PORT));
    running
}

/// A command line of a shell: the SHA-256 of what curl gets from nginx at `address`.
fn fetch(address: &str, file: &str) -> [String; 3] {
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    fetch_and_sum(&format!("http://{address}:{PORT}/{file}"))
}

/// What the kernel's curl gets: its SHA-256.
pub(crate) fn fetched_by_kernel(address: &str, file: &str) -> String {
    fetched_sum(Running::start(&fetch(address, file)))
}

/// What curl on ieum gets: its SHA-256.
pub(crate) fn fetched_by_ieum(flags: &[&str], address: &str, file: &str) -> String {
    let words = fetch(address, file);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fetched_sum(Running::start(&ieum(flags, &words)))
}

/// What sha256sum says of a file.
pub(crate) fn sum_of(file: &str) -> String {
    let said = Running::start(&["sha256sum", file]).finish().success();
    said.split_whitespace().next().unwrap_or_default().to_owned()
}
