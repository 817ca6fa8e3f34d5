//! What processes say to each other about hosts and their guests, as it is understood.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers as well")]

use std::fmt::Debug;

use ieum_control::{decode, encode};
use ieum_run::control::{Answer, Holder, Request, Row};
use ieum_run::{Granted, Wish};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whatever bytes are understood as is said again in the same words.
fn understood_or_not<M: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        let again: M = decode(&encode(&message).unwrap()).unwrap();
        assert_eq!(again, message);
    }
}

fn every_kind(bytes: &[u8]) {
    understood_or_not::<Request>(bytes);
    understood_or_not::<Answer>(bytes);
    understood_or_not::<Wish>(bytes);
    understood_or_not::<Granted>(bytes);
}

/// One of each message, and some that are nearly one.
fn corpus() -> Vec<String> {
    let row = Row {
        holders: vec![Holder { process: 12, command: "a \"b\"".into(), descriptor: 3 }],
        protocol: "tcp".into(),
        state: "ESTAB".into(),
        recv_queue: 0,
        send_queue: usize::MAX,
        local: "127.0.0.1:80".parse().unwrap(),
        remote: Some("[fd77::1]:443".parse().unwrap()),
    };
    let text = |bytes: Result<Vec<u8>, _>| {
        String::from_utf8(bytes.map_err(|_: ieum_control::Malformed| ()).unwrap()).unwrap()
    };
    let mut texts = vec![
        text(encode(&Request::Enter)),
        text(encode(&Request::Serve { first: -1, through: true })),
        text(encode(&Request::Sockets)),
        text(encode(&Request::More)),
        text(encode(&Request::Drops)),
        text(encode(&Answer::Welcome { native_datagrams: false })),
        text(encode(&Answer::Refused { sentence: "no".into() })),
        text(encode(&Answer::Sockets { rows: vec![row], more: true })),
        text(encode(&Answer::Drops { counts: vec![("checksum".into(), u64::MAX)] })),
        text(encode(&Wish::Read { thread: 1, address: u64::MAX, len: usize::MAX })),
        text(encode(&Wish::Write { thread: i32::MIN, address: 0, bytes: vec![0, 255] })),
        text(encode(&Wish::Copy { thread: 0, descriptor: -1 })),
        text(encode(&Granted::Bytes(vec![1, 2, 3]))),
        text(encode(&Granted::Count(1))),
        text(encode(&Granted::Descriptor)),
        text(encode(&Granted::Refused(0))),
    ];
    let nearly = [
        "",
        "{}",
        "null",
        "\"Enter\" ",
        "[\"Enter\"]",
        "{\"Serve\":{}}",
        "{\"Serve\":{\"first\":1,\"through\":1}}",
        "{\"Serve\":{\"first\":99999999999,\"through\":true}}",
        "{\"Read\":{\"thread\":1,\"address\":-1,\"len\":1}}",
        "{\"Write\":{\"thread\":1,\"address\":1,\"bytes\":[256]}}",
        "{\"Enter\":null,\"More\":null}",
        "{\"Serve\":{\"first\":1,\"through\":true,\"more\":1}}",
        "{\"Bytes\":\"text\"}",
        "{\"Count\":1e400}",
    ];
    texts.extend(nearly.map(str::to_owned));
    texts
}

#[test]
fn the_corpus_is_understood_or_refused_and_so_is_all_that_is_cut_from_it() {
    for text in corpus() {
        for end in 0..=text.len() {
            every_kind(&text.as_bytes()[..end]);
        }
        every_kind(text.repeat(2).as_bytes());
    }
}

#[test]
fn a_message_with_a_word_too_many_is_not_understood() {
    assert!(decode::<Request>(br#"{"Serve":{"first":1,"through":true}}"#).is_ok());
    assert!(decode::<Request>(br#"{"Serve":{"first":1,"through":true,"more":1}}"#).is_err());
    assert!(decode::<Request>(br#""Enter" "Enter""#).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        every_kind(&bytes);
    }

    #[test]
    fn no_change_to_a_message_makes_decoding_panic(
        number in 0usize..30,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let texts = corpus();
        let mut bytes = texts[number % texts.len()].clone().into_bytes();
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        every_kind(&bytes);
    }

    #[test]
    fn a_wish_is_understood_as_it_was_said(
        thread in any::<i32>(), address in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..8192),
    ) {
        let wish = Wish::Write { thread, address, bytes };
        prop_assert_eq!(decode::<Wish>(&encode(&wish).unwrap()).unwrap(), wish);
    }
}
