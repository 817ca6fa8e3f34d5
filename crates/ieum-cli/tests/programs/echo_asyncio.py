"""An asyncio echo service on one port, and many clients that each send bytes of their own.

    echo_asyncio.py serve ADDRESS PORT          prints `ready`, serves until ended
    echo_asyncio.py call ADDRESS PORT CLIENTS   all at once; each must get its own bytes back
    echo_asyncio.py both ADDRESS PORT CLIENTS   the service in a process of its own, and the clients
"""

import asyncio
import os
import random
import signal
import sys


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(address, port):
    server = await asyncio.start_server(echo, address, port, backlog=1024)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


async def call_once(address, port, number, everybody):
    """Waits with its connection until everybody is connected, then sends and compares."""
    own = random.Random(number)
    payload = own.randbytes(own.randrange(1, 20000))
    reader, writer = await asyncio.open_connection(address, port)
    await everybody.wait()

    async def send():
        position = 0
        while position < len(payload):
            step = own.randrange(1, 4000)
            writer.write(payload[position : position + step])
            await writer.drain()
            position += step
        writer.write_eof()

    _, received = await asyncio.gather(send(), reader.read(-1))
    writer.close()
    return received == payload


class Everybody:
    """A gate that opens when all have arrived."""

    def __init__(self, count):
        self.missing = count
        self.here = asyncio.Event()

    async def wait(self):
        self.missing -= 1
        if self.missing == 0:
            self.here.set()
        await self.here.wait()


async def call(address, port, clients):
    everybody = Everybody(clients)
    results = await asyncio.gather(*(call_once(address, port, i, everybody) for i in range(clients)))
    print(f"{sum(results)} of {clients} clients got their own bytes", flush=True)
    return 0 if all(results) else 1


def both(address, port, clients):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.execv(sys.executable, [sys.executable, __file__, "serve", address, str(port)])
    os.close(write)
    os.read(read, 6)
    try:
        return asyncio.run(call(address, port, clients))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


role, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if role == "serve":
    asyncio.run(serve(address, port))
elif role == "call":
    sys.exit(asyncio.run(call(address, port, int(sys.argv[4]))))
else:
    sys.exit(both(address, port, int(sys.argv[4])))
