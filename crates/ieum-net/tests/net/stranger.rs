//! Members that are no ieum: what they send, or do not read, does no harm to others.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use ieum_net::message::{Request, Word};
use ieum_stack::BindRequest;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recvmsg, send, socket_with, sockopt,
};

use crate::host::{Deed, Folder, Running, at, idle};

/// A connection to the control socket of a net, in a stranger's hands.
struct Stranger(OwnedFd);

impl Stranger {
    fn connect(path: &Path) -> Stranger {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_secs(30))).unwrap();
        connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        Stranger(socket)
    }

    fn say(&self, bytes: &[u8]) {
        send(&self.0, bytes, SendFlags::NOSIGNAL).unwrap();
    }

    /// What the owner says next, with what it hands over; `None` once it has nothing to do with us any more.
    fn hear(&self) -> Option<(Word, Vec<OwnedFd>)> {
        let mut bytes = vec![0; 65_536];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let count =
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
            {
                Ok(message) => message.bytes,
                Err(rustix::io::Errno::CONNRESET) => 0,
                Err(error) => panic!("the owner says nothing: {error}"),
            };
        let mut handed = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                handed.extend(descriptors);
            }
        }
        (count > 0).then(|| (serde_json::from_slice(&bytes[..count]).unwrap(), handed))
    }

    /// Joins as a member would: its frame socket, and its address.
    fn join(&self) -> (OwnedFd, IpAddr) {
        let request = Request::Join { name: Some("stranger".into()), addresses: Vec::new() };
        self.say(&serde_json::to_vec(&request).unwrap());
        let Some((Word::Welcome { own, .. }, mut handed)) = self.hear() else { panic!("welcome") };
        (handed.pop().unwrap(), own.addresses[0])
    }
}

const THROWN_OUT: &str = "members that sent what no ieum sends";

#[test]
fn who_says_what_cannot_be_understood_is_thrown_out() {
    let folder = Folder::new();
    let owner = Running::start(&folder, "owner", idle());
    let nonsense: [&[u8]; 5] = [
        b"\xff\x00",
        b"{}",
        br#"{"Leave":{}}"#,
        br#"{"Join":{"name":"a","addresses":[],"more":1}}"#,
        br#"{"Join":{"name":7,"addresses":[]}}"#,
    ];
    for nonsense in nonsense {
        let stranger = Stranger::connect(&folder.socket());
        stranger.say(nonsense);
        assert!(stranger.hear().is_none());
    }
    // Understood, and refused with a reason.
    for (name, address, reason) in [
        ("a.b", "10.77.0.9", "cannot be a name"),
        ("owner", "10.77.0.9", "is taken"),
        ("a", "10.77.0.2", "is taken"),
        ("a", "192.0.2.1", "is not a host's address"),
    ] {
        let stranger = Stranger::connect(&folder.socket());
        let request = Request::Join { name: Some(name.into()), addresses: vec![address.parse().unwrap()] };
        stranger.say(&serde_json::to_vec(&request).unwrap());
        let Some((Word::Refused { sentence }, _)) = stranger.hear() else { panic!("refused") };
        assert!(sentence.contains(reason), "{sentence}");
        assert!(stranger.hear().is_none());
    }
    // Joined, and then talking.
    let stranger = Stranger::connect(&folder.socket());
    let _frames = stranger.join();
    stranger.say(br#"{"Join":{"name":null,"addresses":[]}}"#);
    assert!(stranger.hear().is_none());
    assert_eq!(owner.finish(), [(THROWN_OUT, 6)]);
}

#[test]
fn who_sends_frames_that_are_none_is_thrown_out_and_the_others_hear_of_it() {
    let folder = Folder::new();
    let owner = Running::start(&folder, "owner", idle());
    let witness = Stranger::connect(&folder.socket());
    witness.say(br#"{"Join":{"name":"witness","addresses":[]}}"#);
    let Some((Word::Welcome { .. }, _frames)) = witness.hear() else { panic!("welcome") };
    for garbage in [&b"short"[..], &[0xff; 2000], &[0; 70_000]] {
        let stranger = Stranger::connect(&folder.socket());
        let (frames, _) = stranger.join();
        send(&frames, garbage, SendFlags::NOSIGNAL).unwrap();
        assert!(stranger.hear().is_none());
        for has_joined in [true, false] {
            let (name, joined) = match witness.hear() {
                Some((Word::Joined(peer), _)) => (peer.name, true),
                Some((Word::Left(peer), _)) => (peer.name, false),
                other => panic!("{other:?}"),
            };
            assert_eq!((name.as_str(), joined), ("stranger", has_joined));
        }
    }
    // A frame that is one, around bytes that are no packet, is dropped alone.
    let stranger = Stranger::connect(&folder.socket());
    let (frames, _) = stranger.join();
    let frame = [&[0x45; 7][..], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    send(&frames, &frame, SendFlags::NOSIGNAL).unwrap();
    drop((frames, stranger));
    // It has left when a newcomer is told of the owner and the witness alone: by then its frame was read.
    loop {
        let newcomer = Stranger::connect(&folder.socket());
        newcomer.say(br#"{"Join":{"name":null,"addresses":[]}}"#);
        let Some((Word::Welcome { peers, .. }, _)) = newcomer.hear() else { panic!("welcome") };
        if peers.len() == 2 {
            break;
        }
    }
    assert_eq!(owner.finish(), [("not an IP packet", 1), (THROWN_OUT, 3)]);
}

#[test]
fn what_a_host_does_not_read_is_dropped_and_counted_and_the_others_are_served() {
    const FLOOD: u32 = 20_000;
    let folder = Folder::new();
    let (go, going) = mpsc::channel::<IpAddr>();
    let (tell, told) = mpsc::channel();
    let bind = |port| BindRequest::new("0.0.0.0".parse().unwrap(), port);
    // Floods the first address it hears of, a few datagrams a turn, and then says a word to the second.
    let (mut endpoint, mut target, mut sent) = (None, None, 0);
    let flood: Deed = Box::new(move |inside, now| {
        let endpoint = *endpoint.get_or_insert_with(|| inside.stack.udp_bind(bind(0)).unwrap());
        if target.is_none() {
            target = going.try_recv().ok();
        }
        let Some(to) = target else { return false };
        for _ in 0..100 {
            if sent < FLOOD && inside.stack.udp_send(now, endpoint, at(to, 9), &[0; 100]).is_ok() {
                sent += 1;
            }
        }
        let Some(witness) = inside.find("witness.lab.ieum").filter(|_| sent == FLOOD) else { return false };
        inside.stack.udp_send(now, endpoint, at(witness, 9), b"still here").is_ok()
    });
    let owner = Running::start(&folder, "owner", flood);
    let mut endpoint = None;
    let listen: Deed = Box::new(move |inside, _| {
        let endpoint = *endpoint.get_or_insert_with(|| inside.stack.udp_bind(bind(9)).unwrap());
        let heard = inside.stack.udp_recv(endpoint);
        heard.is_some_and(|datagram| tell.send(datagram.payload).is_ok())
    });
    let witness = Running::start(&folder, "witness", listen);
    let stranger = Stranger::connect(&folder.socket());
    let (_frames, address) = stranger.join();
    go.send(address).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), b"still here");
    witness.finish();
    let counts = owner.finish();
    let [(reason, count)] = counts[..] else { panic!("{counts:?}") };
    assert_eq!(reason, "too many waited for a slow host");
    assert!(count > 1000 && count < u64::from(FLOOD), "{count} of {FLOOD}");
}
