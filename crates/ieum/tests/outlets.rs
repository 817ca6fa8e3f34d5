//! Links that lead out of their network: to whoever carries packets, and to a descriptor.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use ieum::device::Tun;
use ieum::net::{TcpListener, TcpStream};
use ieum::{Host, Link, Network, Outlet};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

fn host_on(network: &Network, link: &Link, address: &str) -> Host {
    network.host().address(link, address).build().unwrap()
}

/// Carries packets from one to the other until there is nothing to carry to.
fn carry(from: &Arc<Outlet>, to: &Arc<Outlet>) {
    let (from, to) = (Arc::clone(from), Arc::clone(to));
    thread::spawn(move || {
        loop {
            to.send(&from.recv().unwrap()).unwrap();
        }
    });
}

fn speak(listener: &TcpListener, mut one: TcpStream) {
    let bytes: Vec<u8> = (0..500_000_u32).map(|at| (at % 253).to_le_bytes()[0]).collect();
    let (mut other, _) = listener.accept().unwrap();
    let sent = bytes.clone();
    let writing = thread::spawn(move || one.write_all(&sent).unwrap());
    let mut all = Vec::new();
    other.read_to_end(&mut all).unwrap();
    writing.join().unwrap();
    assert!(all == bytes);
}

#[test]
fn two_networks_are_joined_by_whoever_carries_their_packets() {
    let (here, there) = (Network::new().unwrap(), Network::new().unwrap());
    let (link, out) = here.outlet_link(1400).unwrap();
    let (far_link, far_out) = there.outlet_link(1400).unwrap();
    let (one, other) = (host_on(&here, &link, "10.1.0.1/24"), host_on(&there, &far_link, "10.1.0.2/24"));
    let (out, far_out) = (Arc::new(out), Arc::new(far_out));
    carry(&out, &far_out);
    carry(&far_out, &out);
    let listener = other.listen("10.1.0.2:80").unwrap();
    speak(&listener, one.connect("10.1.0.2:80").unwrap());
    assert_eq!((out.dropped(), far_out.dropped()), (0, 0));
}

#[test]
fn what_leaves_is_as_on_a_wire_and_a_task_is_woken_by_it() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let network = Network::new().unwrap();
    let (link, out) = network.outlet_link(1280).unwrap();
    let host = host_on(&network, &link, "10.1.0.1/24");
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut waiting = Box::pin(out.recv_async());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let socket = host.udp("10.1.0.1:9").unwrap();
    socket.send_to(&[7; 2000], "10.1.0.9:9").unwrap();
    thread::park();
    let Poll::Ready(first) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) else {
        panic!("who was woken has its packet")
    };
    let second = out.try_recv().unwrap();
    assert_eq!(out.try_recv(), None);
    // Two fragments, neither larger than the link takes.
    let first = first.unwrap();
    assert!(first.len() <= 1280 && second.len() <= 1280 && first.len() + second.len() == 2000 + 8 + 40);
    assert_eq!(first[16..20], [10, 1, 0, 9]);
    assert_eq!(out.send(&[0; 70_000]).unwrap_err().kind(), ErrorKind::InvalidInput);
    out.send(b"no packet").unwrap();
}

#[test]
fn of_two_tasks_the_one_that_leaves_off_keeps_nothing_from_the_other() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let network = Network::new().unwrap();
    let (link, out) = network.outlet_link(1280).unwrap();
    let socket = host_on(&network, &link, "10.1.0.1/24").udp("10.1.0.1:9").unwrap();
    let tell = || socket.send_to(b"x", "10.1.0.9:9").unwrap();
    let woken = [0; 2].map(|_| Arc::new(Count(AtomicUsize::new(0))));
    let wakers = woken.clone().map(Waker::from);
    let [mut one_cx, mut other_cx] = wakers.each_ref().map(Context::from_waker);
    let mut one = Box::pin(out.recv_async());
    {
        let other = pin!(out.recv_async());
        assert!(one.as_mut().poll(&mut one_cx).is_pending() && other.poll(&mut other_cx).is_pending());
    }
    tell();
    let times = || woken.each_ref().map(|task| task.0.load(Ordering::Relaxed));
    assert_eq!(times(), [1, 0]);
    assert!(one.as_mut().poll(&mut one_cx).is_ready());
    // Nor does one that leaves off after it was woken.
    one = Box::pin(out.recv_async());
    let mut other = pin!(out.recv_async());
    assert!(one.as_mut().poll(&mut one_cx).is_pending() && other.as_mut().poll(&mut other_cx).is_pending());
    tell();
    drop(one);
    assert_eq!(times(), [2, 1]);
    assert!(other.poll(&mut other_cx).is_ready());
}

#[test]
fn a_descriptor_that_carries_packets_is_a_link() {
    let kind = SocketType::SEQPACKET;
    let (here, there) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    let (one_network, other_network) = (Network::new().unwrap(), Network::new().unwrap());
    let link = one_network.tun_link(Tun::of_descriptor(here, 1500).unwrap()).unwrap();
    let far_link = other_network.tun_link(Tun::of_descriptor(there, 1500).unwrap()).unwrap();
    let (one, other) =
        (host_on(&one_network, &link, "fd01::1/64"), host_on(&other_network, &far_link, "fd01::2/64"));
    let listener = other.listen("[fd01::2]:80").unwrap();
    speak(&listener, one.connect("[fd01::2]:80").unwrap());
}

#[test]
fn a_link_without_its_outlet_leads_nowhere() {
    let network = Network::new().unwrap();
    let (link, out) = network.outlet_link(1500).unwrap();
    let host = host_on(&network, &link, "10.1.0.1/24");
    drop(out);
    let lost = host.connect("10.1.0.2:80").unwrap_err().kind();
    assert!(matches!(lost, ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable), "{lost:?}");
    assert_eq!(network.outlet_link(1000).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_network_has_any_number_of_devices_one_after_the_other() {
    let network = Network::new().unwrap();
    let kind = SocketType::SEQPACKET;
    let pair = || socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    for number in 0..600 {
        let (here, there) = pair();
        let link = network.tun_link(Tun::of_descriptor(here, 1500).unwrap()).unwrap();
        // Some are left with a packet on its way in.
        if number % 3 == 0 {
            rustix::io::write(&there, &[0x45; 40]).unwrap();
        }
        if number % 2 == 0 {
            host_on(&network, &link, "10.1.0.1/24").remove();
        }
    }
    // As many at once as there may be, and no more.
    let device = || network.tun_link(Tun::of_descriptor(pair().0, 1500).unwrap());
    let links: Vec<Link> = (0..254).map(|_| device().unwrap()).collect();
    assert!(device().unwrap_err().to_string().contains("254"));
    drop(links);
    device().unwrap();
}

#[test]
fn a_link_without_handles_serves_the_hosts_on_it() {
    let kind = SocketType::SEQPACKET;
    let (here, there) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    let networks = [Network::new().unwrap(), Network::new().unwrap()];
    let host = |network: &Network, end, address| {
        let link = network.tun_link(Tun::of_descriptor(end, 1500).unwrap()).unwrap();
        host_on(network, &link, address)
    };
    let (one, other) = (host(&networks[0], here, "10.1.0.1/24"), host(&networks[1], there, "10.1.0.2/24"));
    // Neither link is held any more, nor its place taken by the next.
    let next = networks[0].link();
    let _beside = host_on(&networks[0], &next, "10.1.0.2/24");
    let listener = other.listen("10.1.0.2:80").unwrap();
    speak(&listener, one.connect("10.1.0.2:80").unwrap());
    drop((one, other, next));
}
