//! Name lookups, against a name server in a network namespace of the test's own.

use super::support::{Folder, Running, ieum, is_root, namespaces, path_of, peers, script};

/// A name server on four addresses of a namespace whose resolv.conf says what a test wants it to say.
pub(crate) struct Names {
    server: Running,
    _folder: Folder,
}

impl Names {
    /// The server, ready; `None` where the machine has no such peers or no namespaces.
    pub(crate) fn start(resolv_conf: &str) -> Option<Names> {
        Names::start_after("true", resolv_conf)
    }

    /// The same after `prepare`, words for a shell, has furnished the namespace further.
    pub(crate) fn start_after(prepare: &str, resolv_conf: &str) -> Option<Names> {
        if !peers(&["python3", "dig", "getent", "mount"]) {
            return None;
        }
        let namespaces = namespaces()?;
        let folder = Folder::new();
        let resolv = folder.write("resolv.conf", resolv_conf);
        // ::1 only where there is IPv6.
        let begin = "ip link set lo up && ip address add 192.0.2.53/32 dev lo \
            && mount --bind \"$1\" /etc/resolv.conf && PREPARE \
            && set -- \"$2\" \"$3\" 127.0.0.53 127.0.0.1 192.0.2.53 $(grep -q lo /proc/net/if_inet6 && echo ::1) \
            && exec \"$@\"";
        let begin = &begin.replace("PREPARE", prepare);
        let (python, program) = (path_of("python3"), script("name_server.py"));
        let words = [&namespaces[..], &["sh", "-ec", begin, "sh", &resolv, &python, &program]].concat();
        let mut server = Running::start(&words);
        server.line("ready");
        Some(Names { server, _folder: folder })
    }

    /// A program in that namespace.
    pub(crate) fn enter(&self, program: &[&str]) -> Running {
        let target = self.server.id().to_string();
        let mut words = vec!["nsenter", "--target", &target, "--net", "--mount"];
        if !is_root() {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.extend(program);
        Running::start(&words)
    }

    /// What `program` prints under `ieum run FLAGS` in that namespace.
    pub(crate) fn ask_with(&self, flags: &[&str], program: &[&str]) -> String {
        self.enter(&ieum(flags, program)).finish().success()
    }

    fn ask(&self, program: &[&str]) -> String {
        self.ask_with(&[], program)
    }
}

fn everybody_finds_names(resolver: &str) {
    let Some(names) = Names::start(&format!("nameserver {resolver}\n")) else { return };
    let (python, lookup) = (path_of("python3"), script("lookup.py"));
    let printed = names.ask(&[&python, &lookup, "ieum.test", "many.test", "none.test"]);
    assert_eq!(printed, "ieum.test 1 192.0.2.80\nmany.test 60 192.0.2.100\nnone.test failed: no such name\n");

    let printed = names.ask(&["getent", "ahostsv4", "ieum.test"]);
    assert!(printed.starts_with("192.0.2.80 "), "{printed}");

    assert_eq!(names.ask(&["dig", "+short", "+tries=1", "+time=10", "ieum.test", "A"]), "192.0.2.80\n");
    // Too long for a datagram: asked again over TCP.
    assert_eq!(names.ask(&["dig", "+short", "+noedns", "+tries=1", "many.test", "A"]).lines().count(), 60);
    assert_eq!(names.ask(&["dig", "+short", "+tcp", "+tries=1", "ieum.test", "A"]), "192.0.2.80\n");
}

#[test]
fn names_are_found_through_a_stub_on_127_0_0_53() {
    everybody_finds_names("127.0.0.53");
}

#[test]
fn names_are_found_through_a_resolver_on_127_0_0_1() {
    everybody_finds_names("127.0.0.1");
}

#[test]
fn names_are_found_through_a_resolver_that_is_not_loopback() {
    everybody_finds_names("192.0.2.53");
}

#[test]
fn names_are_found_through_a_resolver_of_ip6() {
    everybody_finds_names("::1");
}
