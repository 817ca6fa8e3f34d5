# what: 200 requests over two nginx in turn, one of them ended on the way; 8 MiB through TCP mode
# version: haproxy -v | head -n 1
# needs: haproxy nginx-light curl
mkdir www && data www/file 8388608
nginx_conf 8081 '' 'location /who { return 200 one; }'
nginx_conf 8082 '' 'location /who { return 200 two; }'
serve nginx -p "$PWD" -c nginx8081.conf
serve nginx -p "$PWD" -c nginx8082.conf
second=${running[-1]}
cat >haproxy.cfg <<'CFG'
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    retries 3
    option redispatch
listen web
    bind 127.0.0.1:8080
    balance roundrobin
    server one 127.0.0.1:8081 check inter 200
    server two 127.0.0.1:8082 check inter 200
listen plain
    mode tcp
    bind 127.0.0.1:8090
    server one 127.0.0.1:8081
CFG
until_open 8081 && until_open 8082
serve haproxy -db -f haproxy.cfg
until_open 8080
for _ in $(seq 100); do curl -sSf http://127.0.0.1:8080/who; echo; done >first
[ "$(sort first | uniq -c | tr -s ' \n' ' ')" = " 50 one 50 two " ]
curl -sSf http://127.0.0.1:8090/file | cmp - www/file
kill "$second" && wait "$second" || true
for _ in $(seq 100); do curl -sSf http://127.0.0.1:8080/who; echo; done >later
[ "$(sort later | uniq)" = one ]
