/* UDP: addresses, truncation, errors that come back, filtering of the connected. */
#include "parity.h"

static int receiver(void)
{
    int fd = make(SOCK_DGRAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    return fd;
}

static ssize_t send_to(int fd, const char *bytes, size_t count, const char *ip, int port)
{
    struct sockaddr_in at = address(ip, port);
    return sendto(fd, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&at, sizeof at);
}

static void echo(void)
{
    char into[64];
    int server = receiver(), client = make(SOCK_DGRAM);
    line("datagram-echo.send", send_to(client, "hello", 5, "127.0.0.1", port_of(server)));
    text("datagram-echo.bound-by-sending", "%s", port_of(client) ? "yes" : "no");
    text("datagram-echo.poll", "%s", settle(server, POLLIN));
    struct sockaddr_in from = { 0 };
    socklen_t length = sizeof from;
    line("datagram-echo.recv", recvfrom(server, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text("datagram-echo.from", "%s length %u", from.sin_port == htons((unsigned short)port_of(client)) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? "the client" : "another", length);
    line("datagram-echo.answer", sendto(server, into, 5, 0, (struct sockaddr *)&from, length));
    text("datagram-echo.answer.poll", "%s", settle(client, POLLIN));
    length = 4;
    line("datagram-echo.answer.recv", recvfrom(client, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text("datagram-echo.answer.length", "%u", length);
    line("datagram-echo.empty", recvfrom(client, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    close(client);
    close(server);
}

static void lengths(void)
{
    static char large[70000];
    char into[64];
    int server = receiver(), client = make(SOCK_DGRAM);
    int port = port_of(server);
    line("datagram-zero.send", send_to(client, "", 0, "127.0.0.1", port));
    text("datagram-zero.poll", "%s", settle(server, POLLIN));
    line("datagram-zero.recv", recv(server, into, sizeof into, 0));
    line("datagram-zero.recv-again", recv(server, into, sizeof into, 0));

    must(send_to(client, "0123456789", 10, "127.0.0.1", port) == 10, "a datagram is sent");
    settle(server, POLLIN);
    int count = -77;
    line("datagram-fionread", ioctl(server, FIONREAD, &count));
    text("datagram-fionread.count", "%d", count);
    line("datagram-peek", recv(server, into, 4, MSG_PEEK));
    line("datagram-peek-truncated", recv(server, into, 4, MSG_PEEK | MSG_TRUNC));
    struct iovec part = { into, 4 };
    struct sockaddr_in from;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from };
    line("datagram-recvmsg-cut", recvmsg(server, &message, 0));
    text("datagram-recvmsg-cut.flags", "%s, name length %u", message.msg_flags & MSG_TRUNC ? "truncated" : "whole", message.msg_namelen);
    line("datagram-rest-is-gone", recv(server, into, sizeof into, 0));

    line("datagram-largest", send_to(client, large, 65507, "127.0.0.1", port));
    settle(server, POLLIN);
    line("datagram-largest.recv", recv(server, large, sizeof large, 0));
    line("datagram-too-large", send_to(client, large, 65508, "127.0.0.1", port));
    line("datagram-9000", send_to(client, large, 9000, "127.0.0.1", port));
    settle(server, POLLIN);
    line("datagram-9000.recv", recv(server, large, sizeof large, 0));
    close(client);
    close(server);
}

static void many(void)
{
    char into[8][16];
    struct iovec parts[8];
    struct mmsghdr messages[8] = { 0 };
    int server = receiver(), client = make(SOCK_DGRAM);
    must(connect_to(client, "127.0.0.1", port_of(server)) == 0, "a datagram socket is connected");
    for (int i = 0; i < 8; i++) {
        parts[i] = (struct iovec){ "datagram", (size_t)i + 1 };
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    line("sendmmsg", sendmmsg(client, messages, 8, 0));
    long total = 0, received = 0;
    for (int tries = 0; received < 8 && tries < PATIENCE_MS; tries++) {
        for (int i = 0; i < 8; i++)
            parts[i] = (struct iovec){ into[i], sizeof into[i] };
        int count = recvmmsg(server, messages, 8, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++)
            total += messages[i].msg_len;
        received += count > 0 ? count : 0;
        poll(NULL, 0, count > 0 ? 0 : 1);
    }
    text("recvmmsg", "%ld datagrams, %ld bytes", received, total);

    /* More than the eleven that an AF_UNIX queue would hold. */
    for (int i = 0; i < 100; i++)
        must(send(client, "x", 1, 0) == 1, "a datagram is sent");
    for (received = 0; received < 100; received++) {
        settle(server, POLLIN);
        if (recv(server, into[0], 1, 0) != 1)
            break;
    }
    line("datagram-hundred-queued", received);
    close(client);
    close(server);
}

static void refused(void)
{
    char into[8];
    int gone = receiver();
    int port = port_of(gone);
    close(gone);
    int fd = make(SOCK_DGRAM);
    line("datagram-refused.unconnected", send_to(fd, "abc", 3, "127.0.0.1", port));
    text("datagram-refused.unconnected.poll", "%s", mask(fd));
    line("datagram-refused.unconnected.recv", recv(fd, into, sizeof into, 0));
    close(fd);
    fd = make(SOCK_DGRAM);
    must(connect_to(fd, "127.0.0.1", port) == 0, "a datagram socket is connected");
    line("datagram-refused.send", send(fd, "abc", 3, 0));
    text("datagram-refused.poll", "%s", settle(fd, POLLERR));
    line("datagram-refused.recv", recv(fd, into, sizeof into, 0));
    line("datagram-refused.recv-again", recv(fd, into, sizeof into, 0));
    line("datagram-refused.send-again", send(fd, "abc", 3, 0));
    settle(fd, POLLERR);
    line("datagram-refused.send-third", send(fd, "abc", 3, 0));
    settle(fd, POLLERR);
    text("datagram-refused.so-error", "%s", errno_name(take_error(fd)));
    close(fd);
}

static void filtered(void)
{
    char into[16];
    int a = receiver(), b = receiver(), fd = receiver();
    int port = port_of(fd);
    must(connect_to(fd, "127.0.0.1", port_of(a)) == 0, "a datagram socket is connected");
    must(send_to(b, "stranger", 8, "127.0.0.1", port) == 8, "a stranger sends");
    must(send_to(a, "friend", 6, "127.0.0.1", port) == 6, "the peer sends");
    settle(fd, POLLIN);
    line("datagram-connected.from-peer", recv(fd, into, sizeof into, 0));
    line("datagram-connected.nothing-from-strangers", recv(fd, into, sizeof into, 0));
    line("datagram-connected.sendto-another", send_to(fd, "abc", 3, "127.0.0.1", port_of(b)));
    text("datagram-connected.sendto-another.poll", "%s", settle(b, POLLIN));
    line("datagram-connected.again", connect_to(fd, "127.0.0.1", port_of(b)));
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    line("datagram-connected.unspec", connect(fd, &none, sizeof none));
    struct sockaddr_in at = { 0 };
    socklen_t length = sizeof at;
    line("datagram-connected.unspec.getpeername", getpeername(fd, (struct sockaddr *)&at, &length));
    text("datagram-connected.unspec.keeps-port", "%s", port_of(fd) == port ? "yes" : "no");
    line("datagram-connected.unspec.send", send(fd, "abc", 3, 0));
    must(send_to(b, "stranger", 8, "127.0.0.1", port) == 8, "a stranger sends");
    settle(fd, POLLIN);
    line("datagram-connected.unspec.recv", recv(fd, into, sizeof into, 0));
    close(a);
    close(b);
    close(fd);
}

static void destinations(void)
{
    int fd = make(SOCK_DGRAM);
    line("datagram-no-destination", send(fd, "abc", 3, 0));
    line("datagram-no-route", send_to(fd, "abc", 3, BEYOND, 9));
    line("datagram-no-route.connect", connect_to(fd, BEYOND, 9));
    line("datagram-port-0", send_to(fd, "abc", 3, "127.0.0.1", 0));
    line("datagram-broadcast-not-allowed", send_to(fd, "abc", 3, "255.255.255.255", 9));
    line("datagram-own-broadcast-not-allowed", send_to(fd, "abc", 3, "10.77.0.255", 9));
    struct sockaddr_in at = address("127.0.0.1", 9);
    line("datagram-short-address", sendto(fd, "abc", 3, 0, (struct sockaddr *)&at, 3));
    at.sin_family = AF_INET6;
    line("datagram-wrong-family", sendto(fd, "abc", 3, 0, (struct sockaddr *)&at, sizeof at));
    close(fd);

    int any = make(SOCK_DGRAM);
    must(bind_to(any, "0.0.0.0", 0) == 0, "a free port is bound");
    fd = make(SOCK_DGRAM);
    line("datagram-to-any", send_to(fd, "abc", 3, "0.0.0.0", port_of(any)));
    text("datagram-to-any.poll", "%s", settle(any, POLLIN));
    must(connect_to(fd, OWN, port_of(any)) == 0, "a datagram socket is connected");
    struct sockaddr_in here = { 0 };
    socklen_t length = sizeof here;
    must(getsockname(fd, (struct sockaddr *)&here, &length) == 0, "it has a name");
    char ip[INET_ADDRSTRLEN];
    text("datagram-source-of-own", "%s", inet_ntop(AF_INET, &here.sin_addr, ip, sizeof ip));
    close(fd);
    close(any);
}

static void timed_out(void)
{
    char into[8];
    struct timeval short_while = { .tv_usec = 20000 };
    int fd = make_blocking(SOCK_DGRAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &short_while, sizeof short_while) == 0, "a time-out is set");
    line("datagram-timed-out.recv", recv(fd, into, sizeof into, 0));
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    line("datagram-timed-out.recvfrom", recvfrom(fd, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    close(fd);
}

static void send_three(int port)
{
    int out = make(SOCK_DGRAM);
    must(send_to(out, "abc", 3, "127.0.0.1", port) == 3, "three bytes are sent");
    close(out);
}

/* recvfrom waits while somebody else sends. */
static void blocking_receive(void)
{
    char into[8];
    int fd = make_blocking(SOCK_DGRAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    begin_beside(send_three, port_of(fd));
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    line("datagram-blocking.recvfrom", recvfrom(fd, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    end_beside();
    close(fd);
}

/* How many datagrams wait where nobody reads: what is too many is lost. */
static void room(const char *name, int wish, size_t bytes)
{
    static const char payload[2000];
    char into[8];
    struct sockaddr_in from;
    socklen_t length;
    int fd = make(SOCK_DGRAM), beside = make(SOCK_DGRAM), out = make(SOCK_DGRAM);
    must(wish == 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wish, sizeof wish) == 0, "a buffer is wished for");
    must(bind_to(fd, "127.0.0.1", 0) == 0 && bind_to(beside, "127.0.0.1", 0) == 0, "free ports are bound");
    for (int i = 0; i < 400; i++)
        must(send_to(out, payload, bytes, "127.0.0.1", port_of(fd)) == (long)bytes, "a datagram is sent");
    must(send_to(out, "x", 1, "127.0.0.1", port_of(beside)) == 1, "and one to somebody else");
    settle(beside, POLLIN);
    int count = 0;
    for (;; count++) {
        length = sizeof from;
        if (recvfrom(fd, into, sizeof into, MSG_TRUNC, (struct sockaddr *)&from, &length) != (long)bytes)
            break;
    }
    text(name, "%d", count);
    close(fd);
    close(beside);
    close(out);
}

/* What a host sends to itself has come when the call returns that sent it. */
static void come_at_once(void)
{
    int fd = receiver(), out = make(SOCK_DGRAM), port = port_of(fd), came[3] = { 0 };
    struct sockaddr_in to = address("127.0.0.1", port);
    struct iovec part = { "x", 1 };
    struct mmsghdr one = { .msg_hdr = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1 } };
    char into[8];
    for (int round = 0; round < 100; round++) {
        for (int way = 0; way < 3; way++) {
            long sent = way == 0 ? send_to(out, "x", 1, "127.0.0.1", port) : way == 1 ? sendmsg(out, &one.msg_hdr, 0)
                                                                                     : sendmmsg(out, &one, 1, 0);
            must(sent == 1, "a datagram is sent");
            if (recv(fd, into, sizeof into, MSG_DONTWAIT) == 1) {
                came[way]++;
            } else {
                settle(fd, POLLIN);
                must(recv(fd, into, sizeof into, 0) == 1, "it comes later");
            }
        }
    }
    text("datagram-at-once.sendto", "%d", came[0]);
    text("datagram-at-once.sendmsg", "%d", came[1]);
    text("datagram-at-once.sendmmsg", "%d", came[2]);
    close(fd);
    close(out);
}

void datagrams(void)
{
    come_at_once();
    room("datagram-room.default", 0, 1);
    room("datagram-room.least", 1, 500);
    room("datagram-room.4096", 4096, 500);
    room("datagram-room.20000", 20000, 500);
    room("datagram-room.100000", 100000, 1400);
    echo();
    lengths();
    many();
    refused();
    filtered();
    destinations();
    timed_out();
    blocking_receive();
}
