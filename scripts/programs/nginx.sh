# what: 16 MiB by sendfile, 400 requests on kept connections, a proxy before itself, a reload in between
# version: nginx -v 2>&1
# needs: nginx-light curl
mkdir www && data www/large 16777216 && echo hello >www/small
nginx_conf 8080 reuseport 'location /p/ { proxy_pass http://127.0.0.1:8080/; }'
serve nginx -p "$PWD" -c nginx8080.conf
until_open 8080
curl -sSf http://127.0.0.1:8080/large | cmp - www/large
curl -sSf http://127.0.0.1:8080/p/large | cmp - www/large
for _ in $(seq 400); do echo "url=http://127.0.0.1:8080/small"; done >urls
[ "$(curl -sSf -K urls | sort | uniq -c | awk '{print $1, $2}')" = "400 hello" ]
kill -HUP "$(cat nginx8080.pid)"
curl -sSf http://127.0.0.1:8080/large | cmp - www/large
