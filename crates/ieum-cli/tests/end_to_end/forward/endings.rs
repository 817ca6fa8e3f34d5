//! How it ends, and how it does not begin.

use std::net::{Shutdown, TcpStream};

use rustix::process::Signal;

use super::super::support::free_port;
use super::{address, forward, is_reset_after, joined, listener, rest, say};

#[test]
fn after_sigterm_nothing_new_is_taken_and_what_is_there_ends_by_itself() {
    let (listener, target) = listener();
    let mut forward = forward(&["0", &target]);
    let address = address(&mut forward);
    let (mut client, mut server) = joined(address, &listener);
    forward.signal(Signal::TERM);
    forward.error_line("ieum: no more connections are taken; ");
    assert!(TcpStream::connect(address).is_err());
    say(&mut client, &mut server, "still here");
    client.shutdown(Shutdown::Write).expect("one direction ends");
    assert_eq!(rest(&mut server), b"");
    say(&mut server, &mut client, "a last answer");
    drop(server);
    assert_eq!(rest(&mut client), b"");
    let finished = forward.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn a_second_signal_and_the_end_of_patience_cut_and_say_how_many() {
    for (drain, signals) in [("3600", 2), ("0", 1)] {
        let (listener, target) = listener();
        let mut forward = forward(&["--drain", drain, "0", &target]);
        let address = address(&mut forward);
        let mut pairs = [joined(address, &listener), joined(address, &listener)];
        pairs.iter_mut().for_each(|(client, server)| say(client, server, "through"));
        forward.signal(Signal::INT);
        if signals == 2 {
            // The first one was heard.
            forward.error_line("ieum: no more connections are taken; ");
            forward.signal(Signal::TERM);
        }
        for (client, server) in &mut pairs {
            is_reset_after(client, b"");
            is_reset_after(server, b"");
        }
        let finished = forward.finish();
        assert_eq!(
            (finished.code, finished.stderr.lines().last()),
            (125, Some("ieum: 2 connections were cut"))
        );
    }
}

#[test]
fn what_cannot_begin_says_why_in_one_line() {
    let (holder, taken) = listener();
    let free = free_port().to_string();
    for (words, part) in [
        (&[taken.as_str(), "80"][..], format!("port {taken} is in use by another program")),
        (&["192.0.2.1:8080", "80"], "192.0.2.1:8080: it is no address of this machine".to_owned()),
        (&[&free], format!("{free:?} leads nowhere: give pairs")),
        (&[], "nothing to forward: give pairs".to_owned()),
        (&["8080", "10.0.0.5"], "is not [ADDR:]PORT".to_owned()),
        (&["8080", "eighty"], "\"eighty\" is not a port".to_owned()),
        (&["8080/udp", "80/tcp"], "are of different protocols".to_owned()),
        (&["--config", "/nonexistent/forward.toml"], "/nonexistent/forward.toml".to_owned()),
        (&["--drain", "soon", "1", "2"], "invalid value 'soon'".to_owned()),
    ] {
        let finished = forward(words).finish();
        assert_eq!(finished.code, 125, "{words:?}: {finished:?}");
        let clear = finished.stderr.starts_with("ieum: ")
            && finished.stderr.contains(&part)
            && finished.stderr.lines().count() == 1;
        assert!(clear, "{words:?}: {finished:?}");
    }
    drop(holder);
}
