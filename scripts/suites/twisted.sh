# project: Twisted, its tests of TCP, UDP, endpoints and protocols
# version: 26.10.0
# needs: python3-venv
prepare() {
    python3 -m venv venv && venv/bin/pip install -q twisted==26.10.0 hypothesis
}
tests() {
    local modules=() name
    for name in test_tcp test_udp test_endpoints test_socket test_inlinecb test_address test_default test_epollreactor test_iutils \
        test_fdset test_protocol test_resolver test_tls; do
        modules+=("twisted.internet.test.$name")
    done
    for name in test_tcp test_udp test_internet test_ftp test_abstract test_loopback test_policies; do modules+=("twisted.test.$name"); done
    { "$PLACE/venv/bin/python" -m twisted.trial --reporter=verbose --temp-directory "$TMPDIR/trial" "${@:-${modules[@]}}" 2>&1 || true; } |
        awk '/^[a-z]/ { module = $1 } /^  [A-Za-z_]/ { class = $1 }
            /^    test/ { name = module "." class "." $1 }
            # The summary at the end has such words too.
            name && /\[OK\]$/ { print "pass " name; name = "" }
            name && /\[(FAIL|ERROR)\]$/ { print "fail " name; name = "" }
            name && /\[(SKIPPED|TODO)\]$/ { print "skip " name; name = "" }'
}
