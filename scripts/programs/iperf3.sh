# what: TCP both ways, four streams, IPv6, and UDP without loss
# version: iperf3 --version | head -n 1
# needs: iperf3 python3
serve iperf3 -s
until_open 5201
moved() { python3 -c 'import json,sys; e=json.load(sys.stdin)["end"]; s=e.get("sum_received", e.get("sum")); assert s["bytes"] > 1000000, s; assert s.get("lost_packets", 0) == 0, s'; }
# The server takes a moment between two tests, and says that it is busy.
client() {
    for _ in 1 2 3 4 5; do
        if iperf3 -J -c "$@" >report && moved <report 2>why; then return 0; fi
        sleep 0.5
    done
    cat why >&2
    return 1
}
client 127.0.0.1 -t 1
client 127.0.0.1 -t 1 -R
client 127.0.0.1 -t 1 -P 4 --bidir
client ::1 -t 1
client 127.0.0.1 -u -b 20M -t 1
