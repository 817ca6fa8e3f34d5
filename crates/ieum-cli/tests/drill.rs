//! `ieum drill` as it is typed: what it prints, and how it ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PASSES: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
const FAILS: &str = "0 socket(..., SOCK_STREAM, IPPROTO_UDP) = 3\n";
const UNSUPPORTED: &str = "0 psp_rx_assoc(3, [1]) = 0\n";

fn drill(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ieum"));
    command.arg("drill").args(arguments).current_dir(directory).output().expect("ieum can be run")
}

/// A directory of its own with these scripts, which goes with what is returned.
fn scripts(list: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    for (name, text) in list {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("it can be made");
        fs::write(path, text).expect("a script can be written");
    }
    directory
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_script_that_passes_says_nothing() {
    let directory = scripts(&[("a.pkt", PASSES)]);
    let output = drill(directory.path(), &["a.pkt"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

#[test]
fn all_scripts_below_a_directory_are_run_and_counted() {
    let directory =
        scripts(&[("a/good.pkt", PASSES), ("a/b/bad.pkt", FAILS), ("psp.pkt", UNSUPPORTED), ("no.txt", "")]);
    let output = drill(directory.path(), &["."]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "FAIL ./a/b/bad.pkt\n\
         ./a/b/bad.pkt:1: runtime error in socket call: Expected non-negative result but got -1 with errno 93 \
         (Protocol not supported)\n\
         pass ./a/good.pkt\n\
         unsupported ./psp.pkt: the system call psp_rx_assoc\n\
         1 passed, 1 failed, 1 unsupported\n\
         \x20    1  the system call psp_rx_assoc\n"
    );
}

#[test]
fn what_is_unsupported_has_neither_passed_nor_failed() {
    let directory = scripts(&[("a.pkt", UNSUPPORTED), ("b.pkt", PASSES)]);
    assert_eq!(drill(directory.path(), &["a.pkt"]).status.code(), Some(4));
    assert_eq!(drill(directory.path(), &["."]).status.code(), Some(4));
}

#[test]
fn the_originals_options_are_taken() {
    let directory = scripts(&[("a.pkt", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = NUMBER\n")]);
    let typed = "--send_omit_free --ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 \
                 --gateway_ip=fd3d:0a0b:17d6:8888::1 --remote_ip=fd3d:fa7b:d17d::1 -D NUMBER=3 \
                 -D CMSG_LEVEL_IP=SOL_IPV6 -v -v --tolerance_usecs 5 --tolerance_usecs=7 --debug --bind_port=http a.pkt";
    let output =
        drill(directory.path(), &typed.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = drill(directory.path(), &["--wire_client", "-D", "NUMBER=3", "a.pkt"]);
    assert_eq!(text(&output.stdout), "unsupported a.pkt: --wire_client\n");
}

#[test]
fn a_verdict_is_one_line() {
    let directory = scripts(&[("bad.pkt", FAILS), ("good.pkt", PASSES), ("psp.pkt", UNSUPPORTED)]);
    assert_eq!(
        text(&drill(directory.path(), &["--verdicts", "."]).stdout),
        "FAIL\t./bad.pkt\t./bad.pkt:1: runtime error in socket call: Expected non-negative result but got -1 with \
         errno 93 (Protocol not supported)\n\
         pass\t./good.pkt\t\n\
         unsupported\t./psp.pkt\tthe system call psp_rx_assoc\n"
    );
}

#[test]
fn the_table_of_sysctls_is_printed() {
    let output = drill(Path::new("."), &["--sysctls"]);
    assert!(text(&output.stdout).contains("net.ipv4.tcp_timestamps"), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_script_that_is_not_there_is_told() {
    let output = drill(Path::new("/"), &["nothing.pkt"]);
    assert!(text(&output.stdout).starts_with("nothing.pkt: cannot be read: No such file"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    let output = drill(Path::new("/"), &["/dev/zero"]);
    assert!(text(&output.stdout).contains("it has more than"), "{output:?}");
    let output = drill(Path::new("/"), &[]);
    assert_eq!(output.status.code(), Some(125));
    let directory = scripts(&[("no.txt", "")]);
    let output = drill(directory.path(), &["."]);
    assert_eq!(text(&output.stderr), "ieum: .: no *.pkt in this directory\n");
    assert_eq!(output.status.code(), Some(125));
    let output = drill(directory.path(), &["--tolerance", "5", "."]);
    assert!(text(&output.stderr).contains("--tolerance"), "{output:?}");
    assert_eq!(output.status.code(), Some(125));
    let output = drill(directory.path(), &["--bind_port", "no-such-service", "."]);
    assert!(text(&output.stderr).contains("or a name in /etc/services"), "{output:?}");
    assert_eq!(output.status.code(), Some(125));
    let directory = scripts(&[("a.pkt", "--tolerance=5\n0 `true`")]);
    assert_eq!(
        text(&drill(directory.path(), &["a.pkt"]).stdout),
        "a.pkt: 1:1: no such option: --tolerance\n"
    );
}
