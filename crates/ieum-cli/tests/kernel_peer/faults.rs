//! 32 MiB each way over a link that loses and reorders frames, by a seed.

use std::path::Path;

use super::http::{fetched_by_ieum, fetched_by_kernel, server_on_ieum, server_on_kernel, sum_of};
use super::namespace::{HOST4, HOST6, KERNEL4, KERNEL6, enter_own};
use super::support::{Folder, seeded};

const BYTES: u64 = 32 << 20;

/// Each direction of the link loses 1 % of its frames and lets 1 % come late.
const FAULT: &str = "loss=0.01,reorder=0.01,seed=";

fn each_way(kind: &str, seed: u64, host: &str, kernel: &str) {
    if !enter_own(&["nginx", "curl", "sha256sum"]) {
        return;
    }
    let folder = Folder::new();
    let (root, file) = (folder.path().display().to_string(), folder.file("payload"));
    seeded(Path::new(&file), BYTES).expect("a file is written");
    let (sum, fault) = (sum_of(&file), format!("{FAULT}{seed}"));
    let flags = [kind, "ieum0", "--fault", &fault];

    let on_ieum = server_on_ieum(&flags, &folder, &root, host);
    assert_eq!(fetched_by_kernel(host, "payload"), sum, "from ieum to the kernel, seed {seed}");
    drop(on_ieum);

    let _on_kernel = server_on_kernel(&folder, &root, kernel);
    assert_eq!(fetched_by_ieum(&flags, kernel, "payload"), sum, "from the kernel to ieum, seed {seed}");
}

#[test]
fn thirty_two_mebibytes_each_way_survive_one_percent_of_faults_over_tun() {
    each_way("--tun", 1, HOST4, KERNEL4);
}

#[test]
fn thirty_two_mebibytes_each_way_survive_one_percent_of_faults_over_tap_and_ipv6() {
    each_way("--tap", 2, HOST6, KERNEL6);
}
