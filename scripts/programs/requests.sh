# what: Python requests against a threading server: 100 kept requests, 8 MiB up and down, a time-out, a refused port
# version: "$PYTHON" -c 'import requests; print("requests", requests.__version__)'
# needs: python3-requests
"$PYTHON" - <<'PY'
import http.server, os, threading, time
import requests

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self):
        time.sleep(1)
    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
with requests.Session() as session:
    for _ in range(100):
        data = os.urandom(5000)
        assert session.post(url, data=data).content == data
    data = os.urandom(8 << 20)
    assert session.post(url, data=data).content == data
    try:
        session.get(url, timeout=0.2)
        raise SystemExit("no time-out")
    except requests.Timeout:
        pass
    try:
        session.get("http://127.0.0.1:9/")
        raise SystemExit("not refused")
    except requests.ConnectionError:
        pass
PY
