//! `--no-exit`: everything outside is unreachable, at once.

use super::support::{Running, ieum, path_of, peer, script};

#[test]
fn without_an_exit_the_outside_is_unreachable_at_once() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    let targets = [
        "tcp:198.51.100.7:80",
        "udp:198.51.100.7:80",
        "tcp:[2001:db8::7]:80",
        "tcp:10.77.0.99:80",
        "tcp:10.77.0.1:80",
        "tcp:[fd77::1]:80",
    ];
    let words = ieum(&["--no-exit"], &[&[python.as_str(), &program], &targets[..]].concat());
    let printed = Running::start(&words).finish().success();
    let expected = "tcp:198.51.100.7:80 ENETUNREACH at once\nudp:198.51.100.7:80 ENETUNREACH at once\n\
        tcp:[2001:db8::7]:80 ENETUNREACH at once\ntcp:10.77.0.99:80 EHOSTUNREACH at once\n\
        tcp:10.77.0.1:80 EHOSTUNREACH at once\ntcp:[fd77::1]:80 EHOSTUNREACH at once\n";
    assert_eq!(printed, expected);
}
