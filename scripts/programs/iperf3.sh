# what: TCP both ways, four streams, IPv6, and UDP without loss
# version: iperf3 --version | head -n 1
# needs: iperf3 python3
serve iperf3 -s
until_open 5201
moved() { python3 -c 'import json,sys; e=json.load(sys.stdin)["end"]; s=e.get("sum_received", e.get("sum")); assert s["bytes"] > 1000000, s; assert s.get("lost_packets", 0) == 0, s'; }
# The server takes a moment between two tests, and says that it is busy: that alone is tried again. With -J errors are in the report.
client() {
    local tries=5
    while iperf3 -J -c "$@" >report || true; grep -q 'server is busy' report && [ $((tries -= 1)) -gt 0 ]; do
        sleep 0.5
    done
    if grep '"error"' report >&2; then return 1; fi
    moved <report
}
client 127.0.0.1 -t 1
client 127.0.0.1 -t 1 -R
client 127.0.0.1 -t 1 -P 4 --bidir
client ::1 -t 1
# So many and so small that a receive buffer holds what comes in a third of a second, for a machine with other work.
client 127.0.0.1 -u -b 3M -l 1400 -t 3
