# what: redis-benchmark over 20 commands, a replica with the same digest, publish and subscribe, a blocked pop, a pipeline of 20,000
# version: redis-server --version | cut -d ' ' -f 1-3
# needs: redis-server redis-tools
serve redis-server --port 6379 --save '' --enable-debug-command yes
until_open 6379
redis-benchmark -p 6379 -q -n 2000 -c 20 >bench.log
cli() { redis-cli -p 6379 "$@"; }
cli flushall >/dev/null
for i in $(seq 20000); do echo "SET key:$i value-$i"; done | redis-cli -p 6379 --pipe | grep -q 'errors: 0, replies: 20000'
serve redis-server --port 6380 --save '' --enable-debug-command yes --replicaof 127.0.0.1 6379
until_open 6380
for _ in $(seq 100); do redis-cli -p 6380 info replication | grep -q master_link_status:up && break; sleep 0.1; done
cli set last word >/dev/null && [ "$(cli wait 1 5000)" = 1 ]
[ "$(cli debug digest)" = "$(redis-cli -p 6380 debug digest)" ] && [ "$(redis-cli -p 6380 dbsize)" = 20001 ]
redis-cli -p 6380 subscribe news >heard & subscriber=$!; running+=($subscriber)
for _ in $(seq 100); do [ "$(redis-cli -p 6380 pubsub numsub news | tail -n 1)" = 1 ] && break; sleep 0.05; done
cli publish news tomorrow >/dev/null
for _ in $(seq 100); do grep -q tomorrow heard && break; sleep 0.05; done
grep -q tomorrow heard
cli blpop list 5 >popped & popper=$!
for _ in $(seq 100); do cli info clients | grep -q blocked_clients:1 && break; sleep 0.05; done
cli rpush list item >/dev/null && wait $popper && grep -q item popped
