//! Two programs that make the calls they are told, on two hosts: of the machine's kernel in namespaces of the test's own, or of
//! ieum on a net.

use super::call::{At, Call, SOCKETS, line, slot};
use super::support::{Running, Runtime};

/// How often both tell each other that everything has arrived, after a call that the other may see: a connection needs three
/// ways, a round is two.
const ROUNDS: usize = 2;

/// Both players.
pub(crate) struct Players {
    one: Running,
    other: Running,
    /// Ports of the sockets by which they tell each other.
    ports: [u16; 2],
    /// Must live as long as they do.
    _holders: Vec<Running>,
    _runtime: Option<Runtime>,
}

/// The addresses of both hosts.
const ADDRESSES: [&str; 2] = ["10.77.0.2", "10.77.0.3"];

impl Players {
    /// On the kernel's sockets: two fresh namespaces, joined by a pair of interfaces.
    pub(crate) fn native(program: &str) -> Players {
        // Linux bounds the ICMP errors of a second: how many of a sequence's datagrams are refused would be a matter of time.
        let hold = "ip link set lo up && echo 0 >/proc/sys/net/ipv4/icmp_ratelimit \
             && echo 0 >/proc/sys/net/ipv6/icmp/ratelimit && echo ready && read _";
        let mut holders: Vec<Running> =
            (0..2).map(|_| Running::start(&["unshare", "--net", "sh", "-c", hold])).collect();
        holders.iter_mut().for_each(|holder| _ = holder.line("ready"));
        let [one, other] = [holders[0].id(), holders[1].id()];
        let join = format!(
            "ip link add eth0 type veth peer name eth0 netns {other} \
             && ip address add 10.77.0.2/24 dev eth0 && ip address add fd77::2/64 dev eth0 nodad && ip link set eth0 up"
        );
        let beside = "ip address add 10.77.0.3/24 dev eth0 && ip address add fd77::3/64 dev eth0 nodad && ip link set eth0 up";
        let processor = first_processor().to_string();
        let within = |holder: u32, words: &[&str]| {
            let namespace = format!("--net=/proc/{holder}/ns/net");
            // On one processor, so that what was sent before arrives before.
            let all = [&["taskset", "-c", &processor, "nsenter", namespace.as_str()], words].concat();
            Running::start(&all)
        };
        within(one, &["sh", "-ec", &join]).finish().success();
        within(other, &["sh", "-ec", beside]).finish().success();
        // Both know each other's interface from now on, so that nothing waits for it. A fresh interface may lose what is sent
        // before the kernel has taken note of its carrier.
        let until_answered = "until ping -n -c 1 -W 5 \"$0\" >/dev/null; do :; done";
        for address in [ADDRESSES[1], "fd77::3"] {
            within(one, &["sh", "-c", until_answered, address]).finish().success();
        }
        let players = [within(one, &[program]), within(other, &[program])];
        Players::greet(players, holders, None)
    }

    /// On ieum's, two hosts of a net; `way`: who has the datagrams (`--udp`).
    pub(crate) fn on_ieum(program: &str, way: &str) -> Players {
        let runtime = Runtime::new();
        let start = |name| {
            runtime.run(&["--net", "sequences", "--name", name, "--no-exit", "--udp", way], &[program])
        };
        let mut one = start("one");
        // The first one has the first address.
        one.tell(&format!("own {}", ADDRESSES[0]));
        let port = one.line("= ");
        let mut other = start("other");
        other.tell(&format!("own {}", ADDRESSES[1]));
        let other_port = other.line("= ");
        let ports = [port, other_port].map(|told| told[2..].parse().expect("a port"));
        Players { one, other, ports, _holders: Vec::new(), _runtime: Some(runtime) }
    }

    fn greet(players: [Running; 2], holders: Vec<Running>, runtime: Option<Runtime>) -> Players {
        let [mut one, mut other] = players;
        let greet = |player: &mut Running, address| {
            player.tell(&format!("own {address}"));
            player.line("= ")[2..].parse().expect("a port")
        };
        let ports = [greet(&mut one, ADDRESSES[0]), greet(&mut other, ADDRESSES[1])];
        Players { one, other, ports, _holders: holders, _runtime: runtime }
    }

    /// Makes the calls, with the ports that begin at `base`; what each returned. All sockets are closed afterwards.
    pub(crate) fn play(&mut self, calls: &[Call], base: u16) -> Vec<String> {
        let mut told = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            told.push(self.ask(call.at(), &line(call, base, number)));
            if call.is_seen() {
                self.settle();
            }
        }
        for socket in 0..SOCKETS {
            let at = if socket < SOCKETS / 2 { At::One } else { At::Other };
            self.ask(at, &format!("close {}", slot(socket)));
        }
        self.settle();
        told
    }

    /// Everything that was sent has arrived, and what it made others send too.
    fn settle(&mut self) {
        let [one, other] = self.ports;
        for _ in 0..ROUNDS {
            self.ask(At::One, &format!("ping {} {other}", ADDRESSES[1]));
            self.ask(At::Other, "pong");
            self.ask(At::One, "pinged");
        }
        self.ask(At::Other, &format!("ping {} {one}", ADDRESSES[0]));
        self.ask(At::One, "pong");
        self.ask(At::Other, "pinged");
    }

    fn ask(&mut self, at: At, words: &str) -> String {
        let player = if at == At::One { &mut self.one } else { &mut self.other };
        player.tell(words);
        player.line("= ")[2..].to_owned()
    }
}

/// The first processor that this process may use.
fn first_processor() -> usize {
    let usable = rustix::thread::sched_getaffinity(None).expect("a process knows its processors");
    (0..rustix::thread::CpuSet::MAX_CPU).find(|number| usable.is_set(*number)).expect("it runs on one")
}
