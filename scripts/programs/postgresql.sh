# what: initdb, pgbench over TCP with 4 clients (800 transactions), its sums, a dump restored, LISTEN and NOTIFY
# version: psql --version
# needs: postgresql
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
# Every connection is TCP's: there is no socket folder.
ordinary "$bin/initdb" -D base -A trust -U postgres >init.log 2>&1
serve ordinary "$bin/postgres" -D base -h 127.0.0.1 -p 5432 -k '' -c fsync=off
until_open 5432
export PGHOST=127.0.0.1 PGPORT=5432 PGUSER=postgres
for _ in $(seq 100); do pg_isready -q && break; sleep 0.1; done
createdb bench && pgbench -i -q -s 1 bench 2>/dev/null
pgbench -c 4 -j 2 -t 200 bench 2>&1 | grep -q 'number of transactions actually processed: 800/800'
[ "$(psql -At bench -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)')" = t ]
createdb again && pg_dump bench | psql -q again >/dev/null
sum='select md5(string_agg(t::text, chr(10) order by aid)) from pgbench_accounts t'
[ "$(psql -At bench -c "$sum")" = "$(psql -At again -c "$sum")" ]
psql -At -c 'listen news' -c "notify news, 'tomorrow'" | grep -q tomorrow
psql -q -c 'select pg_terminate_backend(pg_backend_pid())' 2>lost || true
grep -q 'terminating connection' lost
