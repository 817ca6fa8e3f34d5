//! Name lookups, against a name server in a network namespace of the test's own.

use super::support::{Folder, Running, ieum, namespaces, path_of, peers, script};

/// A name server on three addresses of a namespace whose resolv.conf says what a test wants it to say.
struct Names {
    server: Running,
    _folder: Folder,
}

impl Names {
    fn start(resolv_conf: &str) -> Option<Names> {
        if !peers(&["python3", "dig", "getent", "mount"]) {
            return None;
        }
        let namespaces = namespaces()?;
        let folder = Folder::new();
        let resolv = folder.write("resolv.conf", resolv_conf);
        let begin = "ip link set lo up && ip address add 192.0.2.53/32 dev lo \
            && mount --bind \"$1\" /etc/resolv.conf \
            && exec \"$2\" \"$3\" 127.0.0.53 127.0.0.1 192.0.2.53";
        let (python, program) = (path_of("python3"), script("name_server.py"));
        let words = [&namespaces[..], &["sh", "-ec", begin, "sh", &resolv, &python, &program]].concat();
        let mut server = Running::start(&words);
        server.line("ready");
        Some(Names { server, _folder: folder })
    }

    /// What `program` prints under `ieum run` in that namespace.
    fn ask(&self, program: &[&str]) -> String {
        let target = self.server.id().to_string();
        let mut words = vec!["nsenter", "--target", &target, "--net", "--mount"];
        if !super::support::is_root() {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.extend(ieum(&[], program));
        Running::start(&words).finish().success()
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
