# what: redis's own tests: 47 files of them about commands, clients, publishing, limits, blocked pops, replicas, failover and redis-cli; without unit/client-eviction, which takes for granted that what was written to loopback has arrived when the call returns
# version: redis-server --version | cut -d ' ' -f 1-3
# needs: redis-server redis-tools tcl
# source: redis-server
# Left out are files about files, too, those that take a minute or more, and cluster's own; of the others, what redis calls slow.
files=(unit/{printver,auth,protocol,keyspace,scan,info,info-command,quit,sort,multi,other,expire,acl,acl-v2,pubsub,pubsubshard,slowlog}
    unit/{introspection,introspection-2,limits,obuf-limits,networking,querybuf,pendingquerybuf,replybufsize,tracking,wait,pause,shutdown}
    unit/{scripting,functions,cluster/misc,cluster/links} unit/type/{string,incr,hash,set,zset,list,list-2,stream-cgroups}
    integration/{replication-2,psync2-master-restart,failover,redis-cli,redis-benchmark,logging})
if [ ! -x "$SOURCES/redis/runtest" ]; then
    echo "redis's tests are not there: fetch them by scripts/program-matrix --install redis-tests" >&2
    exit 1
fi
cp -r "$SOURCES/redis" suite && cd suite && mkdir -p src
for program in server cli benchmark check-aof check-rdb; do ln -s "$(command -v redis-$program)" "src/redis-$program"; done
./runtest --clients 6 --tags -slow ${files[@]/#/--single } >tests.log 2>&1 || true
if ! grep -q 'All tests passed without errors!' tests.log; then
    grep -a -A 20 -e '\[err\|\[exception' -e timeout tests.log || tail -n 40 tests.log
    exit 1
fi
