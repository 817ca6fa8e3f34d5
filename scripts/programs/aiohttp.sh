# what: aiohttp server and client: 200 requests at once, 8 MiB echoed, a WebSocket of 200 messages
# version: "$PYTHON" -c 'import aiohttp; print("aiohttp", aiohttp.__version__)'
# needs: python3-aiohttp
"$PYTHON" - <<'PY'
import asyncio, os
import aiohttp
from aiohttp import web

async def echo(request):
    return web.Response(body=await request.read())

async def socket(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(message.data)
    return ws

async def main():
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/", echo)
    app.router.add_get("/ws", socket)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 8080)
    await site.start()
    async with aiohttp.ClientSession() as session:
        async def one(size):
            data = os.urandom(size)
            async with session.post("http://127.0.0.1:8080/", data=data) as answer:
                assert await answer.read() == data
        await asyncio.gather(*[one(10000) for _ in range(200)], one(8 << 20))
        async with session.ws_connect("http://127.0.0.1:8080/ws") as ws:
            for i in range(200):
                await ws.send_str(str(i))
                assert (await ws.receive()).data == str(i)
    await runner.cleanup()

asyncio.run(main())
PY
