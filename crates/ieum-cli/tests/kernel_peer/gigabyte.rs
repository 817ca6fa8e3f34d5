//! 1 GiB each way between the kernel's TCP and ieum's, compared by checksum. The head of `main` has the matrix.

use super::http::{fetched_by_ieum, fetched_by_kernel, server_on_ieum, server_on_kernel};
use super::namespace::{Flags, HOST4, HOST6, KERNEL4, KERNEL6, TAP, TAP_PLAIN, TUN, TUN_PLAIN, enter_own};
use super::support::{Folder, payload};

/// The kernel fetches from `host`, then ieum from `kernel`.
fn gigabyte_each_way(flags: Flags, host: &str, kernel: &str) {
    if !enter_own(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let (folder, payload) = (Folder::new(), payload());
    let on_ieum = server_on_ieum(flags, &folder, &payload.folder, host);
    assert_eq!(fetched_by_kernel(host, payload.name), payload.sha256, "from ieum to the kernel");
    drop(on_ieum);

    let _on_kernel = server_on_kernel(&folder, &payload.folder, kernel);
    assert_eq!(fetched_by_ieum(flags, kernel, payload.name), payload.sha256, "from the kernel to ieum");
}

#[test]
fn a_gigabyte_each_way_over_tun() {
    gigabyte_each_way(TUN, HOST4, KERNEL6);
}

#[test]
fn a_gigabyte_each_way_over_tun_without_offloads() {
    gigabyte_each_way(TUN_PLAIN, HOST6, KERNEL4);
}

#[test]
fn a_gigabyte_each_way_over_tap() {
    gigabyte_each_way(TAP, HOST6, KERNEL4);
}

#[test]
fn a_gigabyte_each_way_over_tap_without_offloads() {
    gigabyte_each_way(TAP_PLAIN, HOST4, KERNEL6);
}
