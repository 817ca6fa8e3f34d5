# what: 4 MiB by TCP and through TLS, a datagram, what a broker passes on, a port where nobody listens
# version: ncat --version 2>&1 | head -n 1
# needs: ncat
data file 4194304
ncat -l 127.0.0.1 7001 >got & receiver=$!
for _ in $(seq 100); do ncat --send-only 127.0.0.1 7001 <file 2>/dev/null && break; sleep 0.05; done
wait $receiver && cmp got file
ncat --ssl -l 127.0.0.1 7002 >got2 2>/dev/null & receiver=$!
for _ in $(seq 100); do ncat --ssl --send-only 127.0.0.1 7002 <file 2>/dev/null && break; sleep 0.05; done
wait $receiver && cmp got2 file
ncat -u -l 127.0.0.1 7004 </dev/null >datagrams & running+=($!)
for _ in $(seq 100); do echo word | ncat -u --send-only 127.0.0.1 7004 2>/dev/null || true; grep -q word datagrams && break; sleep 0.05; done
grep -q word datagrams
serve ncat --broker -l 127.0.0.1 7005
until_open 7005
(sleep 3) | ncat 127.0.0.1 7005 >heard & hearer=$!
for _ in $(seq 20); do echo news | ncat --send-only 127.0.0.1 7005; grep -q news heard && break; sleep 0.1; done
wait $hearer && grep -q news heard
if ncat -z 127.0.0.1 9 2>/dev/null; then exit 1; fi
