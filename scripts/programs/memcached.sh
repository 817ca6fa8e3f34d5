# what: 5,000 values stored and read back over 20 connections, one of 1 MB, the same over UDP
# version: memcached --version
# needs: memcached python3
serve ordinary memcached -l 127.0.0.1 -p 11211 -U 11211 -I 2m
until_open 11211
python3 - <<'PY'
import socket, struct, threading
def talk(first):
    file = socket.create_connection(("127.0.0.1", 11211)).makefile("rwb")
    for i in range(first, first + 250):
        value = b"%d" % i * 50
        file.write(b"set k%d 0 0 %d\r\n%s\r\n" % (i, len(value), value)); file.flush()
        assert file.readline() == b"STORED\r\n"
    for i in range(first, first + 250):
        value = b"%d" % i * 50
        file.write(b"get k%d\r\n" % i); file.flush()
        assert file.readline() == b"VALUE k%d 0 %d\r\n" % (i, len(value))
        assert file.read(len(value) + 2) == value + b"\r\n" and file.readline() == b"END\r\n"
    done.append(first)
done = []
threads = [threading.Thread(target=talk, args=(n * 250,)) for n in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(done) == 20
file = socket.create_connection(("127.0.0.1", 11211)).makefile("rwb")
large = bytes(1_000_000); file.write(b"set large 0 0 1000000\r\n" + large + b"\r\n"); file.flush()
assert file.readline() == b"STORED\r\n"
file.write(b"get large\r\n"); file.flush(); file.readline(); assert file.read(1_000_000) == large
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(5); udp.connect(("127.0.0.1", 11211))
udp.send(struct.pack("!HHHH", 7, 0, 1, 0) + b"get k3\r\n")
assert udp.recv(2000)[8:] == b"VALUE k3 0 50\r\n" + b"3" * 50 + b"\r\nEND\r\n"
PY
