/* IPv6: names, lengths, both families through one socket. */
#include "parity2.h"

static struct sockaddr_in6 address6(const char *ip, int port)
{
    struct sockaddr_in6 out = { .sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port) };
    must(inet_pton(AF_INET6, ip, &out.sin6_addr) == 1, "an address is one");
    return out;
}

static int make6(int type)
{
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    must(fd >= 0, "a socket is made");
    return fd;
}

static int bind6(int fd, const char *ip, int port)
{
    struct sockaddr_in6 at = address6(ip, port);
    return bind(fd, (struct sockaddr *)&at, sizeof at);
}

static int connect6(int fd, const char *ip, int port)
{
    struct sockaddr_in6 at = address6(ip, port);
    return connect(fd, (struct sockaddr *)&at, sizeof at);
}

static int only(int fd, int yes) { return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes); }

/* A name as `family address port length`, with ports as `some` or 0. */
static const char *shown(const struct sockaddr_storage *at, socklen_t length)
{
    static char out[2][120];
    static int turn;
    char *here = out[turn ^= 1], ip[INET6_ADDRSTRLEN] = "?";
    int port = 0;
    if (at->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
        inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof ip);
        port = six->sin6_port;
        snprintf(here, sizeof out[0], "6 [%s] port %s length %u flow %u scope %u", ip, port ? "some" : "0", length,
            six->sin6_flowinfo, six->sin6_scope_id);
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)at;
        inet_ntop(AF_INET, &four->sin_addr, ip, sizeof ip);
        port = four->sin_port;
        snprintf(here, sizeof out[0], "%d %s port %s length %u", at->ss_family == AF_INET ? 4 : at->ss_family, ip,
            port ? "some" : "0", length);
    }
    return here;
}

static const char *own(int fd)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &length) ? errno_name(errno) : shown(&at, length);
}

static const char *peer(int fd)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    return getpeername(fd, (struct sockaddr *)&at, &length) ? errno_name(errno) : shown(&at, length);
}

static int port6(int fd)
{
    struct sockaddr_in6 at = { 0 };
    socklen_t length = sizeof at;
    must(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "a socket has a name");
    return ntohs(at.sin6_port);
}

static void names(void)
{
    int fd = make6(SOCK_STREAM);
    text("six.fresh.name", "%s", own(fd));
    text("six.fresh.peer", "%s", peer(fd));
    int value = 0;
    socklen_t length = sizeof value;
    must(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length) == 0, "SO_DOMAIN is answered");
    text("six.so-domain", "%d", value);
    length = sizeof value;
    line("six.v6only", getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &length));
    text("six.v6only.value", "%d length %u", value, length);
    line("six.bind-loopback", bind6(fd, "::1", 0));
    text("six.bound.name", "%s", own(fd));
    line("six.bind-again", bind6(fd, "::1", 0));
    line("six.v6only-when-bound", only(fd, 1));
    close(fd);
    fd = make6(SOCK_STREAM);
    line("six.bind-foreign", bind6(fd, "2001:db8::1", 0));
    struct sockaddr_in four = address("127.0.0.1", 0);
    line("six.bind-with-four", bind(fd, (struct sockaddr *)&four, sizeof four));
    struct sockaddr_in6 at = address6("::1", 0);
    line("six.bind-short", bind(fd, (struct sockaddr *)&at, 24));
    close(fd);
    fd = make6(SOCK_STREAM);
    line("six.bind-too-short", bind(fd, (struct sockaddr *)&at, 23));
    at.sin6_family = AF_UNIX;
    line("six.bind-wrong-family", bind(fd, (struct sockaddr *)&at, sizeof at));
    line("six.bind-mapped", bind6(fd, "::ffff:127.0.0.1", 0));
    text("six.bind-mapped.name", "%s", own(fd));
    close(fd);
    fd = make6(SOCK_STREAM);
    must(only(fd, 1) == 0, "IPV6_V6ONLY is taken");
    line("six.only.bind-mapped", bind6(fd, "::ffff:127.0.0.1", 0));
    line("six.only.connect-mapped", connect6(fd, "::ffff:127.0.0.1", 9));
    close(fd);
    fd = make(SOCK_STREAM);
    at = address6("::1", 9);
    line("four.connect-six", connect(fd, (struct sockaddr *)&at, sizeof at));
    line("four.bind-six", bind(fd, (struct sockaddr *)&at, sizeof at));
    close(fd);
    fd = make6(SOCK_STREAM);
    line("six.connect-four", connect(fd, (struct sockaddr *)&four, sizeof four));
    line("six.connect-no-route", connect6(fd, "2001:db8::1", 80));
    line("six.connect-multicast", connect6(fd, "ff02::1", 80));
    line("six.connect-refused", connect6(fd, "::1", closed_port()));
    close(fd);
}

/* A server on `here`, a client of `domain` that connects to `there`. */
static void talk(const char *name, const char *here, int domain, const char *there, bool alone)
{
    int listening = make6(SOCK_STREAM);
    if (alone)
        must(only(listening, 1) == 0, "IPV6_V6ONLY is taken");
    must(bind6(listening, here, 0) == 0, "a free port is bound");
    must(listen(listening, 4) == 0, "a socket listens");
    text2(name, "listener", "%s", own(listening));
    int client = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), port = port6(listening);
    int result = domain == AF_INET6 ? connect6(client, there, port) : connect_to(client, there, port);
    line2(name, "connect", result);
    if (result == 0) {
        text2(name, "client", "%s", own(client));
        text2(name, "client.peer", "%s", peer(client));
        struct sockaddr_storage from = { 0 };
        socklen_t length = sizeof from;
        settle(listening, POLLIN);
        int server = accept(listening, (struct sockaddr *)&from, &length);
        text2(name, "accepted", "%s", server >= 0 ? shown(&from, length) : errno_name(errno));
        text2(name, "server", "%s", own(server));
        text2(name, "server.peer", "%s", peer(server));
        line2(name, "write", write(client, "hello", 5));
        char into[8];
        settle(server, POLLIN);
        line2(name, "read", read(server, into, sizeof into));
        close(server);
    }
    close(client);
    close(listening);
}

static void cut_names(void)
{
    int listening = make6(SOCK_STREAM);
    must(bind6(listening, "::1", 0) == 0 && listen(listening, 4) == 0, "a socket listens");
    int client = make6(SOCK_STREAM);
    must(connect6(client, "::1", port6(listening)) == 0, "a connection is made");
    struct sockaddr_in6 from;
    memset(&from, 0x55, sizeof from);
    socklen_t length = 8;
    settle(listening, POLLIN);
    int server = accept(listening, (struct sockaddr *)&from, &length);
    text("six.cut.accept", "length %u, family %d, %s", length, from.sin6_family,
        from.sin6_addr.s6_addr[0] == 0x55 ? "cut" : "whole");
    memset(&from, 0x55, sizeof from);
    length = 16;
    line("six.cut.getpeername", getpeername(server, (struct sockaddr *)&from, &length));
    text("six.cut.getpeername.length", "%u", length);
    length = 0;
    line("six.cut.getsockname", getsockname(server, (struct sockaddr *)&from, &length));
    text("six.cut.getsockname.length", "%u", length);
    length = (socklen_t)-1;
    line("six.negative-length", getsockname(server, (struct sockaddr *)&from, &length));
    close(server);
    close(client);
    close(listening);
}

static void ports(void)
{
    int six = make6(SOCK_STREAM), four = make(SOCK_STREAM);
    must(bind6(six, "::", 0) == 0, "a free port is bound");
    int port = port6(six);
    line("ports.four-beside-both", bind_to(four, "0.0.0.0", port));
    line("ports.four-loopback-beside-both", bind_to(four, "127.0.0.1", port));
    close(six);
    six = make6(SOCK_STREAM);
    must(only(six, 1) == 0, "IPV6_V6ONLY is taken");
    line("ports.only", bind6(six, "::", port));
    line("ports.four-beside-only", bind_to(four, "0.0.0.0", port));
    int other = make6(SOCK_STREAM);
    line("ports.both-beside-four", bind6(other, "::", port));
    close(other);
    close(six);
    six = make6(SOCK_STREAM);
    line("ports.both-beside-four-alone", bind6(six, "::", port));
    line("ports.loopback-beside-four", bind6(six, "::1", port));
    close(six);
    close(four);
}

static void datagrams6(void)
{
    int server = make6(SOCK_DGRAM);
    must(bind6(server, "::", 0) == 0, "a free port is bound");
    int port = port6(server);
    int client = make6(SOCK_DGRAM), old = make(SOCK_DGRAM);
    struct sockaddr_in6 to = address6("::1", port);
    struct sockaddr_storage from;
    socklen_t length;
    char into[16];
    line("six-datagram.send", sendto(client, "hello", 5, 0, (struct sockaddr *)&to, sizeof to));
    settle(server, POLLIN);
    length = sizeof from;
    line("six-datagram.recv", recvfrom(server, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text("six-datagram.from", "%s", shown(&from, length));
    line("six-datagram.answer", sendto(server, "answer", 6, 0, (struct sockaddr *)&from, length));
    settle(client, POLLIN);
    line("six-datagram.answer.recv", recv(client, into, sizeof into, 0));
    struct sockaddr_in four = address("127.0.0.1", port);
    line("six-datagram.four-sends", sendto(old, "four", 4, 0, (struct sockaddr *)&four, sizeof four));
    settle(server, POLLIN);
    length = sizeof from;
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1 };
    line("six-datagram.four-recvmsg", recvmsg(server, &message, 0));
    text("six-datagram.four-from", "%s", shown(&from, message.msg_namelen));
    line("six-datagram.four-answer", sendto(server, "back", 4, 0, (struct sockaddr *)&from, message.msg_namelen));
    settle(old, POLLIN);
    length = sizeof from;
    line("six-datagram.four-answer.recv", recvfrom(old, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text("six-datagram.four-answer.from", "%s", shown(&from, length));
    line("six-datagram.sends-to-four", sendto(client, "abc", 3, 0, (struct sockaddr *)&four, sizeof four));
    settle(server, POLLIN);
    line("six-datagram.sends-to-four.recv", recv(server, into, sizeof into, 0));
    to = address6("::ffff:127.0.0.1", port);
    line("six-datagram.connect-mapped", connect(client, (struct sockaddr *)&to, sizeof to));
    text("six-datagram.connected.name", "%s", own(client));
    text("six-datagram.connected.peer", "%s", peer(client));
    line("six-datagram.connected.send", send(client, "abcd", 4, 0));
    settle(server, POLLIN);
    line("six-datagram.connected.recv", recv(server, into, sizeof into, 0));
    to.sin6_family = AF_UNSPEC;
    line("six-datagram.unspec", connect(client, (struct sockaddr *)&to, sizeof to));
    text("six-datagram.unspec.peer", "%s", peer(client));
    close(client);
    client = make6(SOCK_DGRAM);
    line("six-datagram.connect-four", connect(client, (struct sockaddr *)&four, sizeof four));
    text("six-datagram.connect-four.peer", "%s", peer(client));
    to = address6("::1", port);
    to.sin6_family = AF_UNIX;
    line("six-datagram.wrong-family", sendto(client, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
    to.sin6_family = AF_INET6;
    line("six-datagram.too-short", sendto(client, "abc", 3, 0, (struct sockaddr *)&to, 20));
    close(client);
    client = make6(SOCK_DGRAM);
    must(only(client, 1) == 0, "IPV6_V6ONLY is taken");
    line("six-datagram.only.sends-to-four", sendto(client, "abc", 3, 0, (struct sockaddr *)&four, sizeof four));
    to = address6("::ffff:127.0.0.1", port);
    line("six-datagram.only.sends-to-mapped", sendto(client, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
    line("six-datagram.only.connects-to-mapped", connect(client, (struct sockaddr *)&to, sizeof to));
    close(client);
    client = make6(SOCK_DGRAM);
    to = address6("2001:db8::1", 9);
    line("six-datagram.no-route", sendto(client, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
    close(client);

    /* Refused. */
    client = make6(SOCK_DGRAM);
    close(server);
    line("six-datagram.connect-closed", connect6(client, "::1", port));
    line("six-datagram.closed.send", send(client, "abc", 3, 0));
    text("six-datagram.closed.poll", "%s", settle(client, POLLERR));
    text("six-datagram.closed.so-error", "%s", errno_name(take_error(client)));
    close(client);
    close(old);
}

static void options6(void)
{
    static const struct { const char *name; int option; } OPTIONS[] = {
        { "unicast-hops", IPV6_UNICAST_HOPS }, { "multicast-hops", IPV6_MULTICAST_HOPS },
        { "multicast-loop", IPV6_MULTICAST_LOOP }, { "recvpktinfo", IPV6_RECVPKTINFO },
        { "recvhoplimit", IPV6_RECVHOPLIMIT }, { "tclass", IPV6_TCLASS }, { "recvtclass", IPV6_RECVTCLASS },
        { "mtu-discover", IPV6_MTU_DISCOVER }, { "recverr", IPV6_RECVERR },
    };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        char name[80];
        int fd = make6(SOCK_DGRAM), value = -2, one = 1;
        socklen_t length = sizeof value;
        snprintf(name, sizeof name, "six-option.%s", OPTIONS[i].name);
        int result = getsockopt(fd, IPPROTO_IPV6, OPTIONS[i].option, &value, &length);
        text2(name, "default", "%s %d length %u", result ? errno_name(errno) : "0", value, length);
        line2(name, "set", setsockopt(fd, IPPROTO_IPV6, OPTIONS[i].option, &one, sizeof one));
        length = sizeof value;
        result = getsockopt(fd, IPPROTO_IPV6, OPTIONS[i].option, &value, &length);
        text2(name, "then", "%s %d", result ? errno_name(errno) : "0", value);
        close(fd);
    }
    int fd = make(SOCK_STREAM), one = 1;
    line("six-option.on-four", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
    close(fd);
    fd = make6(SOCK_STREAM);
    line("four-option.on-six", setsockopt(fd, IPPROTO_IP, IP_TTL, &one, sizeof one));
    close(fd);
}

/* An address of IPv4 in its own form, for a datagram socket that speaks it and for one that does not. */
static void foreign_form(void)
{
    struct sockaddr_in to = address("127.0.0.1", 9);
    for (int yes = 0; yes < 2; yes++) {
        const char *name = yes ? "foreign-only6" : "foreign-both";
        int fd = make6(SOCK_DGRAM);
        must(only(fd, yes) == 0, "IPV6_V6ONLY is taken");
        line2(name, "sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
        close(fd);
        fd = make6(SOCK_DGRAM);
        must(only(fd, yes) == 0, "IPV6_V6ONLY is taken");
        line2(name, "connect", connect(fd, (struct sockaddr *)&to, sizeof to));
        close(fd);
    }
}

/* What is sent, from whom it comes, and whether what answers is heard. */
static void there_and_back(const char *name, int client, int server, int beside)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct sockaddr_in6 near = address6("::1", port6(beside));
    char into[8];
    text2(name, "name", "%s", own(client));
    text2(name, "peer", "%s", peer(client));
    line2(name, "send", send(client, "there", 5, 0));
    settle(server, POLLIN);
    line2(name, "recv", recvfrom(server, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text2(name, "from", "%s", shown(&from, length));
    line2(name, "answer", sendto(server, "back", 4, 0, (struct sockaddr *)&from, length));
    /* When it is here, so is what was sent before. */
    must(sendto(server, "after", 5, 0, (struct sockaddr *)&near, sizeof near) == 5, "a datagram is sent");
    settle(beside, POLLIN);
    must(recv(beside, into, sizeof into, 0) == 5, "somebody else has his");
    line2(name, "heard", recv(client, into, sizeof into, MSG_DONTWAIT));
}

/* The address that the first association has chosen stays, whatever the next one's family is. */
static void associations_of_both(void)
{
    int server = make6(SOCK_DGRAM), beside = make6(SOCK_DGRAM);
    must(bind6(server, "::", 0) == 0 && bind6(beside, "::1", 0) == 0, "free ports are bound");
    int port = port6(server);
    int client = make6(SOCK_DGRAM);
    line("six-associated.connect", connect6(client, "::1", port));
    there_and_back("six-associated", client, server, beside);
    line("six-then-mapped.connect", connect6(client, "::ffff:127.0.0.1", port));
    there_and_back("six-then-mapped", client, server, beside);
    struct sockaddr_in6 six = address6("::1", port);
    line("six-then-mapped.sendto-six", sendto(client, "six", 3, 0, (struct sockaddr *)&six, sizeof six));
    settle(server, POLLIN);
    char into[8];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    line("six-then-mapped.six-recv", recvfrom(server, into, sizeof into, 0, (struct sockaddr *)&from, &length));
    text("six-then-mapped.six-from", "%s", shown(&from, length));
    line("six-again.connect", connect6(client, "::1", port));
    there_and_back("six-again", client, server, beside);
    close(client);
    client = make6(SOCK_DGRAM);
    line("mapped-associated.connect", connect6(client, "::ffff:127.0.0.1", port));
    there_and_back("mapped-associated", client, server, beside);
    line("mapped-then-six.connect", connect6(client, "::1", port));
    there_and_back("mapped-then-six", client, server, beside);
    close(client);
    close(beside);
    close(server);
}

void six(void)
{
    names();
    talk("six-loopback", "::1", AF_INET6, "::1", false);
    talk("six-any", "::", AF_INET6, "::1", false);
    talk("six-any-own", "::", AF_INET6, "fd77::2", false);
    talk("six-any-any", "::", AF_INET6, "::", false);
    talk("both-four", "::", AF_INET, "127.0.0.1", false);
    talk("both-mapped", "::", AF_INET6, "::ffff:127.0.0.1", false);
    talk("mapped-four", "::ffff:127.0.0.1", AF_INET, "127.0.0.1", false);
    talk("only-four", "::", AF_INET, "127.0.0.1", true);
    talk("only-six", "::", AF_INET6, "::1", true);
    cut_names();
    ports();
    datagrams6();
    associations_of_both();
    foreign_form();
    options6();
}
