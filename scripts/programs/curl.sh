# what: 30 downloads at once, a range, an upload of 4 MiB, IPv6, a refused port
# version: curl --version | head -n 1
# needs: curl nginx-light python3
mkdir www && data www/file 1048576 && data up 4194304
nginx_conf 8080 '' 'listen [::1]:8080;'
serve nginx -p "$PWD" -c nginx8080.conf
cat >sink.py <<'PY'
import hashlib, http.server
class Sink(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        digest = hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest().encode()
        self.send_response(200); self.send_header("Content-Length", str(len(digest))); self.end_headers(); self.wfile.write(digest)
http.server.HTTPServer(("127.0.0.1", 8081), Sink).serve_forever()
PY
serve python3 sink.py
until_open 8080 && until_open 8081
mkdir got && curl -sSf -Z --parallel-max 30 -o 'got/#1' 'http://127.0.0.1:8080/file?[1-30]'
for i in $(seq 30); do cmp "got/$i" www/file; done
curl -sSf -r 1000-1999 http://127.0.0.1:8080/file | cmp - <(tail -c +1001 www/file | head -c 1000)
[ "$(curl -sSf -T up http://127.0.0.1:8081/up)" = "$(sha256sum <up | cut -d ' ' -f 1)" ]
curl -sSf -g 'http://[::1]:8080/file' | cmp - www/file
code=0; curl -s http://127.0.0.1:9/ || code=$?; [ "$code" = 7 ]
