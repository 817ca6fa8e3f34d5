/* What a socket is known by: its port among few, and connections that share one. */
#include "parity2.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

static int ranged(int type, unsigned first, unsigned last)
{
    int fd = make_blocking(type);
    unsigned range = last << 16 | first;
    must(setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range) == 0, "a range is taken");
    return fd;
}

static void ranges(void)
{
    static const struct { const char *name; unsigned range; socklen_t length; } ALL[] = {
        { "both", 40001u << 16 | 40000, 4 }, { "first", 40000, 4 }, { "last", 40001u << 16, 4 }, { "none", 0, 4 },
        { "turned", 40000u << 16 | 40001, 4 }, { "outside", 20u << 16 | 10, 4 }, { "short", 1, 3 }, { "long", 1, 8 },
        { "high", 65535u << 16 | 65000, 4 },
    };
    int fd = make_blocking(SOCK_STREAM);
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        unsigned value[2] = { ALL[i].range, 0 }, read = 7;
        socklen_t length = sizeof read;
        line2("range", ALL[i].name, setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, value, ALL[i].length));
        getsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &read, &length);
        text2("range-is", ALL[i].name, "%u to %u, %u bytes", read & 0xffff, read >> 16, length);
    }
    close(fd);
}

/* Two ports and three remotes are six connections; the seventh has no 4-tuple of its own. */
static void few_ports(void)
{
    enum { REMOTES = 3, TRIES = 3 };
    int listening[REMOTES], clients[REMOTES * TRIES], count = 0, ports = 0;
    for (int i = 0; i < REMOTES; i++)
        listening[i] = listener();
    unsigned first = free_pair(SOCK_STREAM);
    long last = 0;
    for (int i = 0; i < REMOTES * TRIES; i++) {
        clients[i] = ranged(SOCK_STREAM, first, first + 1);
        long result = connect_to(clients[i], "127.0.0.1", port_of(listening[i % REMOTES]));
        if (result == 0) {
            count++;
            ports |= 1 << (port_of(clients[i]) - (int)first);
        } else
            last = result;
    }
    line2("few-ports", "connections", count);
    line2("few-ports", "ports", ports);
    line2("few-ports", "one-more", last);
    /* All of them work. */
    int echoed = 0;
    for (int i = 0; i < REMOTES; i++)
        for (;;) {
            int server = accept4(listening[i], NULL, NULL, SOCK_CLOEXEC);
            if (server < 0)
                break;
            echoed += write(server, "x", 1) == 1;
            close(server);
        }
    int heard = 0;
    for (int i = 0; i < REMOTES * TRIES; i++) {
        char into;
        heard += read(clients[i], &into, 1) == 1;
        close(clients[i]);
    }
    line2("few-ports", "served", echoed);
    line2("few-ports", "heard", heard);
    for (int i = 0; i < REMOTES; i++)
        close(listening[i]);
}

static void bound_among_few(const char *name, int type)
{
    int fds[3];
    unsigned first = free_pair(type);
    for (int i = 0; i < 3; i++) {
        fds[i] = ranged(type, first, first + 1);
        struct sockaddr_in any = address("127.0.0.1", 0);
        char what[32];
        snprintf(what, sizeof what, "%s-%d", name, i + 1);
        long result = bind(fds[i], (struct sockaddr *)&any, sizeof any);
        line2("few-ports", what, result);
        if (result == 0) {
            unsigned at = (unsigned)port_of(fds[i]) - first;
            text2("few-ports-in", what, "%s", at < 2 ? "range" : "elsewhere");
        }
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* The ways in which a datagram socket gets one of few ports. */
static long by_bind(int fd, int far)
{
    (void)far;
    return bind_to(fd, "127.0.0.1", 0);
}

static long by_connect(int fd, int far)
{
    return connect_to(fd, "127.0.0.1", port_of(far));
}

static long by_send(int fd, int far)
{
    struct sockaddr_in to = address("127.0.0.1", port_of(far));
    return sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}

/* Two ports are taken, given up, and taken again at once; there is no third one. */
static void taken_again(const char *name, long (*get)(int fd, int far))
{
    int far = make_blocking(SOCK_DGRAM), fds[3];
    must(bind_to(far, "127.0.0.1", 0) == 0, "a port is bound");
    unsigned first = free_pair(SOCK_DGRAM);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            char what[64];
            snprintf(what, sizeof what, "%s-%d.%d", name, round + 1, i + 1);
            fds[i] = ranged(SOCK_DGRAM, first, first + 1);
            line2("taken-again", what, get(fds[i], far));
        }
        for (int i = 0; i < 3; i++)
            close(fds[i]);
    }
    close(far);
}

/* Clients may share an address and port when their remotes differ. */
static void shared_port(void)
{
    int one = listener(), two = listener(), yes = 1, fds[3];
    const char *names[] = { "first", "other-remote", "same-remote" };
    int remotes[] = { port_of(one), port_of(two), port_of(one) }, port = 0;
    for (int i = 0; i < 3; i++) {
        fds[i] = make_blocking(SOCK_STREAM);
        must(setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "an option is taken");
        struct sockaddr_in own = address("127.0.0.1", port);
        line2("shared-port.bind", names[i], bind(fds[i], (struct sockaddr *)&own, sizeof own));
        port = port_of(fds[i]);
        line2("shared-port.connect", names[i], connect_to(fds[i], "127.0.0.1", remotes[i]));
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(one);
    close(two);
}

/* A port that connect chose: who may bind it, and connect from there. */
static void chosen_port(bool first_shares, bool second_shares)
{
    static const char *const NAMES[] = { "neither", "second", "first", "both" };
    const char *name = NAMES[2 * first_shares + second_shares];
    /* A port of which nobody knows: what is left of another connection from there would decide with it. */
    unsigned free = free_pair(SOCK_STREAM);
    int one = listener(), two = listener(), first = ranged(SOCK_STREAM, free, free + 1), yes = 1;
    if (first_shares)
        must(setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "an option is taken");
    must(connect_to(first, "127.0.0.1", port_of(one)) == 0, "a connection is made");
    static const char *const OWNS[] = { "127.0.0.1", "0.0.0.0", "127.0.0.9" };
    for (size_t i = 0; i < sizeof OWNS / sizeof *OWNS; i++) {
        char label[64];
        int second = make_blocking(SOCK_STREAM);
        if (second_shares)
            must(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "an option is taken");
        snprintf(label, sizeof label, "%s.bind-%s", name, OWNS[i]);
        long bound = bind_to(second, OWNS[i], port_of(first));
        line2("chosen-port", label, bound);
        if (bound == 0) {
            snprintf(label, sizeof label, "%s.same-remote-%s", name, OWNS[i]);
            line2("chosen-port", label, connect_to(second, "127.0.0.1", port_of(one)));
            snprintf(label, sizeof label, "%s.other-remote-%s", name, OWNS[i]);
            line2("chosen-port", label, connect_to(second, "127.0.0.1", port_of(two)));
            snprintf(label, sizeof label, "%s.listen-%s", name, OWNS[i]);
            line2("chosen-port", label, listen(second, 1));
        }
        close(second);
    }
    close(first);
    close(one);
    close(two);
}

/* A port that was not named is given up with the connection: others may have it, and it is shown all the same. */
static void given_up(bool is_told)
{
    const char *name = is_told ? "given-up" : "given-up-untold";
    int nobody = make(SOCK_STREAM), first = make_blocking(SOCK_STREAM), second = make_blocking(SOCK_STREAM), listening = listener();
    must(bind_to(nobody, "127.0.0.1", 0) == 0 && bind_to(first, "127.0.0.1", 0) == 0, "free ports are bound");
    int port = port_of(first);
    line2(name, "before", bind_to(second, "127.0.0.1", port));
    if (!is_told)
        blocking(first, false);
    long connected = connect_to(first, "127.0.0.1", port_of(nobody));
    if (is_told)
        line2(name, "connect", connected);
    else
        text2(name, "refused", "%s", settle(first, POLLERR));
    line2(name, "after", bind_to(second, "127.0.0.1", port));
    text2(name, "shown", "%s", port_of(first) == port ? "the same port" : port_of(first) ? "another port" : "none");
    if (!is_told)
        text2(name, "error", "%s", errno_name(take_error(first)));
    blocking(first, true);
    line2(name, "connect-again", connect_to(first, "127.0.0.1", port_of(listening)));
    text2(name, "shown-again", "%s", port_of(first) == port ? "the same port" : port_of(first) ? "another port" : "none");
    line2(name, "second-connects", connect_to(second, "127.0.0.1", port_of(listening)));
    int all[] = { nobody, first, second, listening };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
    /* A listener that is none any more. */
    first = make(SOCK_STREAM);
    second = make(SOCK_STREAM);
    must(bind_to(first, "127.0.0.1", 0) == 0 && listen(first, 1) == 0, "a socket listens");
    port = port_of(first);
    must(shutdown(first, SHUT_RDWR) == 0, "it ceases");
    line2(name, "listener", bind_to(second, "127.0.0.1", port));
    line2(name, "listener-again", listen(first, 1));
    text2(name, "listener-shown", "%s", port_of(first) == port ? "the same port" : port_of(first) ? "another port" : "none");
    close(first);
    close(second);
}

void identity(void)
{
    ranges();
    few_ports();
    bound_among_few("stream", SOCK_STREAM);
    bound_among_few("datagram", SOCK_DGRAM);
    taken_again("bind", by_bind);
    taken_again("connect", by_connect);
    taken_again("send", by_send);
    shared_port();
    for (int i = 0; i < 4; i++)
        chosen_port(i & 2, i & 1);
    given_up(true);
    given_up(false);
}
