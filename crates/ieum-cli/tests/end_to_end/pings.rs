//! `ping` without any right: its set-uid bit or capability does nothing under ieum, and it takes to a ping socket.

use super::support::{Running, User, ieum, peer};

fn is_answered(words: &[&str], address: &str) {
    let printed =
        Running::start(&[words, &["ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", address]].concat());
    let printed = printed.finish().success();
    let answers = printed.lines().filter(|line| line.contains(&format!("bytes from {address}:"))).count();
    assert_eq!(answers, 2, "{printed}");
    assert!(printed.contains("2 packets transmitted, 2 received, 0% packet loss"), "{printed}");
}

#[test]
fn ping_is_answered_by_the_host_itself_and_by_its_exit() {
    if !peer("ping") {
        return;
    }
    for address in ["127.0.0.1", "10.77.0.2", "10.77.0.1", "::1", "fd77::2", "fd77::1"] {
        is_answered(&ieum(&[], &[]), address);
    }
}

#[test]
fn an_ordinary_user_may_ping() {
    if !peer("ping") {
        return;
    }
    let Some(user) = User::new() else { return };
    for address in ["127.0.0.1", "fd77::1"] {
        let words = user.ieum(&[], &["ping", "-n", "-c", "1", "-W", "20", address]);
        let printed = Running::start(&words).finish().success();
        assert!(printed.contains(&format!("bytes from {address}:")), "{printed}");
    }
}
