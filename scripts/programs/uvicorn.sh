# what: an ASGI application: 200 requests by curl, 4 MiB echoed, a graceful end
# version: "$PYTHON" -c 'import uvicorn; print("uvicorn", uvicorn.__version__)'
# needs: python3-uvicorn curl
cat >app.py <<'PY'
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body or b"hello\n"})
PY
serve "$PYTHON" -m uvicorn --host 127.0.0.1 --port 8080 --log-level warning app:app
until_open 8080
for _ in $(seq 200); do echo "url=http://127.0.0.1:8080/"; done >urls
[ "$(curl -sSf -K urls | sort | uniq -c | awk '{print $1, $2}')" = "200 hello" ]
data file 4194304
curl -sSf --data-binary @file http://127.0.0.1:8080/ | cmp - file
kill "${running[0]}" && wait "${running[0]}" || true
if (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; then exit 1; fi
