//! Names, asked for at the exit's own address and at resolvers beyond it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::AllRecordData;
use ieum_engine::Notice;
use ieum_stack::UdpId;

use crate::inside::{Scene, play, request};
use crate::nowhere::in_a_namespace;

/// The exit's own addresses, where names are asked for.
const EXIT: [&str; 2] = ["10.77.0.1:53", "[fd77::1]:53"];

fn question(id: u16, name: &str, kind: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((&name.parse::<Name<Vec<u8>>>().unwrap(), kind)).unwrap();
    builder.finish()
}

/// The number of an answer, its code, and the data of its records.
fn said(answer: &[u8]) -> (u16, Rcode, Vec<String>) {
    let message = Message::from_octets(answer).unwrap();
    let records = message.answer().unwrap().limit_to::<AllRecordData<_, _>>();
    let data = records.map(|record| record.unwrap().data().to_string()).collect();
    (message.header().id(), message.header().rcode(), data)
}

/// Asks over UDP; the answers, by their numbers.
fn ask(to: &str, questions: &[Vec<u8>]) -> Vec<(u16, Rcode, Vec<String>)> {
    let to: SocketAddr = to.parse().unwrap();
    let (mut endpoint, mut answers) = (None, Vec::new());
    play(|scene| {
        let id = *endpoint.get_or_insert_with(|| {
            let id = scene.stack.udp_bind(request(0)).unwrap();
            for question in questions {
                scene.stack.udp_send(scene.now, id, to, question).unwrap();
            }
            id
        });
        answers.extend(heard(scene, id, to).iter().map(|answer| said(answer)));
        answers.len() == questions.len()
    });
    answers.sort_by_key(|(id, ..)| *id);
    answers
}

fn heard(scene: &mut Scene<'_>, id: UdpId, from: SocketAddr) -> Vec<Vec<u8>> {
    let answers = std::iter::from_fn(|| scene.stack.udp_recv(id));
    answers.inspect(|answer| assert_eq!(answer.source, from)).map(|answer| answer.payload).collect()
}

fn nothing(id: u16, code: Rcode) -> (u16, Rcode, Vec<String>) {
    (id, code, Vec::new())
}

#[test]
fn names_of_ours_are_answered_at_once_in_both_families() {
    for to in EXIT {
        let questions = [
            question(1, "DB.example", Rtype::A),
            question(2, "db.example", Rtype::AAAA),
            question(3, "nobody.ieum", Rtype::A),
            question(4, "1.0.77.10.in-addr.arpa", Rtype::PTR),
        ];
        let expected = [
            (1, Rcode::NOERROR, vec!["10.77.0.1".to_owned()]),
            nothing(2, Rcode::NOERROR),
            nothing(3, Rcode::NXDOMAIN),
            (4, Rcode::NOERROR, vec!["db.example.".to_owned()]),
        ];
        assert_eq!(ask(to, &questions), expected, "{to}");
    }
}

#[test]
fn what_another_room_tells_is_a_name_until_it_takes_it_back() {
    let to = EXIT[0].parse().unwrap();
    let (mut endpoint, mut answers, mut told) = (None, Vec::new(), 0);
    play(|scene| {
        let id = *endpoint.get_or_insert_with(|| scene.stack.udp_bind(request(0)).unwrap());
        answers.extend(heard(scene, id, to).iter().map(|answer| said(answer)));
        // Told, asked, taken back, asked: a notice has arrived when the next step is asked for.
        if told == answers.len() * 2 {
            let address = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3));
            let addresses = if told == 0 { vec![address] } else { Vec::new() };
            scene.notices.push(Notice::Name { name: "b.lab.ieum".to_owned(), addresses });
            told += 1;
        } else if told == answers.len() * 2 + 1 {
            let question = question(7, "b.lab.ieum", Rtype::A);
            scene.stack.udp_send(scene.now, id, to, &question).unwrap();
            told += 1;
        }
        answers.len() == 2
    });
    let first = (7, Rcode::NOERROR, vec!["10.77.0.3".to_owned()]);
    assert_eq!(answers, [first, nothing(7, Rcode::NXDOMAIN)]);
}

/// A name server on port 53 of the machine's loopback, over UDP and TCP: the answer to any question is no data.
fn empty_server(address: &str) {
    let answer_to = |question: &[u8]| {
        let question = Message::from_octets(question.to_vec()).unwrap();
        MessageBuilder::new_vec().start_answer(&question, Rcode::NOERROR).unwrap().finish()
    };
    let datagrams = UdpSocket::bind((address, 53)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((count, from)) = datagrams.recv_from(&mut buffer) {
            datagrams.send_to(&answer_to(&buffer[..count]), from).unwrap();
        }
    });
    let listener = TcpListener::bind((address, 53)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).unwrap();
                stream.write_all(&framed(&answer_to(&question))).unwrap();
            }
        }
    });
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length[..], message].concat()
}

/// Asks over TCP, all at once; the answers, by their numbers.
fn ask_over_tcp(to: &str, questions: &[Vec<u8>]) -> Vec<(u16, Rcode, Vec<String>)> {
    let bytes: Vec<u8> = questions.iter().flat_map(|question| framed(question)).collect();
    let (mut id, mut sent, mut received) = (None, 0, Vec::new());
    play(|scene| {
        let id = *id.get_or_insert_with(|| scene.connect(to.parse().unwrap()));
        if sent < bytes.len() {
            sent += scene.stack.tcp_send(scene.now, id, &bytes[sent..]);
            if sent == bytes.len() {
                scene.stack.tcp_finish(scene.now, id);
            }
        }
        let mut buffer = [0; 4096];
        let count = scene.stack.tcp_recv(scene.now, id, &mut buffer, false);
        received.extend(&buffer[..count]);
        let status = scene.status(id);
        assert_eq!(status.failure, None);
        status.peer_finished && status.readable_bytes == 0
    });
    let mut answers = Vec::new();
    let mut rest = &received[..];
    while let Some((length, after)) = rest.split_first_chunk() {
        let (message, after) = after.split_at(u16::from_be_bytes(*length).into());
        answers.push(said(message));
        rest = after;
    }
    answers.sort_by_key(|(id, ..)| *id);
    answers
}

#[test]
fn other_names_pass_to_the_machine_over_udp_and_tcp() {
    let test = "names::other_names_pass_to_the_machine_over_udp_and_tcp";
    if !in_a_namespace(test, "ip link set lo up") {
        return;
    }
    // Nobody at the machine's 127.0.0.1 or ::1, but at the resolver that its resolv.conf would name.
    empty_server("127.0.0.53");
    let questions = [
        question(1, "elsewhere.test", Rtype::A),
        question(2, "db.example", Rtype::A),
        question(3, "elsewhere.test", Rtype::AAAA),
    ];
    let ours = (2, Rcode::NOERROR, vec!["10.77.0.1".to_owned()]);
    let expected = [nothing(1, Rcode::NOERROR), ours, nothing(3, Rcode::NOERROR)];
    for to in ["127.0.0.53:53", EXIT[0], EXIT[1]] {
        assert_eq!(ask(to, &questions), expected, "{to}");
        assert_eq!(ask_over_tcp(to, &questions), expected, "{to}, TCP");
    }
}

#[test]
fn what_is_no_plain_question_passes_as_it_came() {
    let test = "names::what_is_no_plain_question_passes_as_it_came";
    if !in_a_namespace(test, "ip link set lo up") {
        return;
    }
    let server = UdpSocket::bind("127.0.0.53:53").unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((count, from)) = server.recv_from(&mut buffer) {
            buffer[..count].reverse();
            server.send_to(&buffer[..count], from).unwrap();
        }
    });
    let ours = question(1, "db.example", Rtype::A);
    let (mut two_questions, mut update) = (ours.clone(), ours.clone());
    two_questions[5] = 2;
    update[2] |= 0x28;
    let messages = [&b"no question"[..], &ours[..ours.len() - 1], &two_questions, &update, &[9; 3000]];
    let to = "127.0.0.53:53".parse().unwrap();
    let (mut endpoint, mut answers) = (None, Vec::new());
    play(|scene| {
        let id = *endpoint.get_or_insert_with(|| {
            let id = scene.stack.udp_bind(request(0)).unwrap();
            for message in messages {
                scene.stack.udp_send(scene.now, id, to, message).unwrap();
            }
            id
        });
        answers.extend(heard(scene, id, to));
        answers.len() == messages.len()
    });
    let reversed = messages.map(|message| message.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(answers, reversed);
}

#[test]
fn where_nobody_can_be_asked_other_names_fail_and_ours_do_not() {
    let test = "names::where_nobody_can_be_asked_other_names_fail_and_ours_do_not";
    if !in_a_namespace(test, "ip link set lo up") {
        return;
    }
    let questions = [
        question(1, "elsewhere.test", Rtype::A),
        question(2, "db.example", Rtype::A),
        question(3, "elsewhere.test", Rtype::AAAA),
    ];
    let ours = (2, Rcode::NOERROR, vec!["10.77.0.1".to_owned()]);
    let expected = [nothing(1, Rcode::SERVFAIL), ours, nothing(3, Rcode::SERVFAIL)];
    for to in EXIT {
        assert_eq!(ask(to, &questions), expected, "{to}");
        assert_eq!(ask_over_tcp(to, &questions), expected, "{to}, TCP");
    }
}
