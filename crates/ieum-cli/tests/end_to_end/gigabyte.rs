//! 1 GiB each way between the machine and a program under `ieum run`, compared by checksum.

use std::net::{Ipv4Addr, SocketAddr};

use super::support::{Folder, Running, fetch_and_sum, fetched_sum, free_port, ieum, nginx, payload, peers};

#[test]
fn curl_under_ieum_fetches_a_gigabyte_from_nginx_on_the_machine() {
    if !peers(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let (folder, payload, port) = (Folder::new(), payload(), free_port());
    let server = format!("listen 127.0.0.1:{port}; root {};", payload.folder);
    let mut nginx = Running::start(&nginx(&folder, &server, false));
    nginx.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));

    let fetch = fetch_and_sum(&format!("http://10.77.0.1:{port}/{}", payload.name));
    let fetch: Vec<&str> = fetch.iter().map(String::as_str).collect();
    assert_eq!(fetched_sum(Running::start(&ieum(&[], &fetch))), payload.sha256);
}

#[test]
fn curl_on_the_machine_fetches_a_gigabyte_from_nginx_under_ieum() {
    if !peers(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let (folder, payload) = (Folder::new(), payload());
    let command = nginx(&folder, &format!("listen 80; root {};", payload.folder), false);
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut nginx = Running::start(&ieum(&["-p", "0:80"], &words));
    let address = nginx.published();
    nginx.connect(address);

    let fetch = fetch_and_sum(&format!("http://{address}/{}", payload.name));
    assert_eq!(fetched_sum(Running::start(&fetch)), payload.sha256);
}
