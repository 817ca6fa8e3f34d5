//! Raw sockets: refused, and with `--raw` served inside the host.

use super::support::{Running, User, ieum, peer};

/// Hears UDP beside UDP, and echoes with the exit, over both families.
const SCRIPT: &str = r#"
import socket, struct

def total(data):
    words = struct.unpack('!%dH' % (len(data) // 2), data)
    value = sum(words)
    value = (value >> 16) + (value & 0xffff)
    return ~(value + (value >> 16)) & 0xffff

listens = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.1', 0))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b'a word', server.getsockname())
packet, source = listens.recvfrom(65535)
print('heard', packet[28:].decode(), 'from', source[0], 'and so did UDP:', server.recvfrom(100)[0].decode())

icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
icmp.settimeout(60)
request = struct.pack('!BBHHH', 8, 0, 0, 4660, 1) + b'abcd'
request = request[:2] + struct.pack('!H', total(request)) + request[4:]
icmp.sendto(request, ('10.77.0.1', 0))
packet, source = icmp.recvfrom(65535)
print('answer', packet[20], packet[28:].decode(), 'from', source[0], 'ttl', packet[8])

icmp6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
icmp6.settimeout(60)
icmp6.sendto(struct.pack('!BBHHH', 128, 0, 0, 4660, 1) + b'abcd', ('fd77::1', 0))
packet, source = icmp6.recvfrom(65535)
print('answer', packet[0], packet[8:].decode(), 'from', source[0])
"#;

#[test]
fn a_script_hears_and_speaks_ip_itself() {
    if !peer("python3") {
        return;
    }
    let printed = Running::start(&ieum(&["--raw"], &["python3", "-c", SCRIPT])).finish().success();
    let expected = "heard a word from 127.0.0.1 and so did UDP: a word\n\
        answer 0 abcd from 10.77.0.1 ttl 64\nanswer 129 abcd from fd77::1\n";
    assert_eq!(printed, expected);
}

#[test]
fn an_ordinary_user_may_have_them_too() {
    if !peer("python3") {
        return;
    }
    let Some(user) = User::new() else { return };
    let script = "import socket; print(socket.socket(2, 3, 1).getsockname())";
    let printed = Running::start(&user.ieum(&["--raw"], &["python3", "-c", script])).finish().success();
    assert_eq!(printed, "('0.0.0.0', 1)\n");
}

#[test]
fn without_the_flag_nobody_has_them() {
    if !peer("python3") {
        return;
    }
    let script = "import socket\nfor family in 2, 10:\n try: socket.socket(family, 3, 1)\n except OSError as error: print(error.errno)";
    let printed = Running::start(&ieum(&[], &["python3", "-c", script])).finish().success();
    assert_eq!(printed, "1\n1\n");
}
