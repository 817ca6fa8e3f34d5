/* What connect answers, blocking and not, and what the socket says afterwards. */
#include "parity.h"

static void refused(void)
{
    int port = closed_port();
    int fd = make_blocking(SOCK_STREAM);
    line("connect-refused.blocking", connect_to(fd, "127.0.0.1", port));
    text("connect-refused.blocking.so-error", "%s", errno_name(take_error(fd)));
    text("connect-refused.blocking.poll", "%s", mask(fd));
    int listening = listener();
    line("connect-refused.blocking.then-another", connect_to(fd, "127.0.0.1", port_of(listening)));
    close(fd);

    fd = make(SOCK_STREAM);
    text("connect-refused.non-blocking.poll-before", "%s", mask(fd));
    line("connect-refused.non-blocking", connect_to(fd, "127.0.0.1", port));
    text("connect-refused.non-blocking.poll", "%s", settle(fd, POLLHUP));
    text("connect-refused.non-blocking.so-error", "%s", errno_name(take_error(fd)));
    text("connect-refused.non-blocking.so-error-again", "%s", take_error(fd) ? "some" : "none");
    text("connect-refused.non-blocking.poll-after", "%s", mask(fd));
    char byte;
    line("connect-refused.non-blocking.recv-after", recv(fd, &byte, 1, 0));
    line("connect-refused.non-blocking.then-another", connect_to(fd, "127.0.0.1", port_of(listening)));
    text("connect-refused.non-blocking.then-another.poll", "%s", settle(fd, POLLOUT));
    text("connect-refused.non-blocking.then-another.so-error", "%s", take_error(fd) ? "some" : "none");
    close(fd);

    fd = make(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", port) == -1 && errno == EINPROGRESS, "a connect is in progress");
    settle(fd, POLLHUP);
    line("connect-refused.non-blocking.asked-by-connect", connect_to(fd, "127.0.0.1", port_of(listening)));
    close(fd);

    /* Who is shut down before there was a connection connects no more, and is told of the refusal still. */
    fd = make(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", port) == -1 && errno == EINPROGRESS, "a connect is in progress");
    settle(fd, POLLHUP);
    line("connect-refused.shut", shutdown(fd, SHUT_WR));
    line("connect-refused.shut.then-another", connect_to(fd, "127.0.0.1", port_of(listening)));
    text("connect-refused.shut.poll", "%s", mask(fd));
    text("connect-refused.shut.so-error", "%s", errno_name(take_error(fd)));
    close(fd);
    close(listening);
}

static void unreachable(void)
{
    int fd = make_blocking(SOCK_STREAM);
    line("connect-no-route.blocking", connect_to(fd, BEYOND, 80));
    close(fd);
    fd = make(SOCK_STREAM);
    line("connect-no-route.non-blocking", connect_to(fd, BEYOND, 80));
    text("connect-no-route.non-blocking.so-error", "%s", take_error(fd) ? "some" : "none");
    text("connect-no-route.non-blocking.poll", "%s", mask(fd));
    line("connect-no-route.non-blocking.again", connect_to(fd, BEYOND, 80));
    close(fd);

    fd = make_blocking(SOCK_STREAM);
    line("connect-nobody-there.blocking", connect_to(fd, ABSENT, 80));
    close(fd);
    fd = make(SOCK_STREAM);
    line("connect-nobody-there.non-blocking", connect_to(fd, ABSENT, 80));
    text("connect-nobody-there.non-blocking.poll", "%s", settle(fd, POLLHUP));
    text("connect-nobody-there.non-blocking.so-error", "%s", errno_name(take_error(fd)));
    close(fd);

    fd = make_blocking(SOCK_STREAM);
    line("connect-broadcast", connect_to(fd, "255.255.255.255", 80));
    line("connect-multicast", connect_to(fd, "224.0.0.1", 80));
    close(fd);
}

static void in_progress(void)
{
    int listening = listener();
    int fd = make(SOCK_STREAM);
    line("connect-non-blocking", connect_to(fd, "127.0.0.1", port_of(listening)));
    text("connect-non-blocking.poll", "%s", settle(fd, POLLOUT));
    text("connect-non-blocking.so-error", "%s", take_error(fd) ? "some" : "none");
    line("connect-non-blocking.again", connect_to(fd, "127.0.0.1", port_of(listening)));
    line("connect-non-blocking.and-again", connect_to(fd, "127.0.0.1", port_of(listening)));
    line("connect-non-blocking.write", write(fd, "abc", 3));
    int server = take(listening);
    text("connect-non-blocking.accepted.poll", "%s", settle(server, POLLIN));
    close(server);
    close(fd);
    close(listening);
}

static void addresses(void)
{
    int listening = make(SOCK_STREAM);
    must(bind_to(listening, "0.0.0.0", 0) == 0 && listen(listening, 16) == 0, "every address listens");
    int port = port_of(listening);
    static const char *const OURS[] = { "127.0.0.1", "127.3.4.5", "0.0.0.0", OWN };
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++) {
        char name[80];
        snprintf(name, sizeof name, "connect-to-%s", OURS[i]);
        int fd = make_blocking(SOCK_STREAM);
        line(name, connect_to(fd, OURS[i], port));
        struct sockaddr_in here = { 0 }, there = { 0 };
        socklen_t length = sizeof here;
        must(getsockname(fd, (struct sockaddr *)&here, &length) == 0, "a connection has a name");
        length = sizeof there;
        int named = getpeername(fd, (struct sockaddr *)&there, &length);
        char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &here.sin_addr, a, sizeof a);
        inet_ntop(AF_INET, &there.sin_addr, b, sizeof b);
        snprintf(name, sizeof name, "connect-to-%s.names", OURS[i]);
        text(name, "%s to %s, %d", a, b, named);
        int server = take(listening);
        length = sizeof there;
        must(getpeername(server, (struct sockaddr *)&there, &length) == 0, "an accepted connection has a peer");
        snprintf(name, sizeof name, "connect-to-%s.peer-is-client", OURS[i]);
        text(name, "%s", there.sin_port == here.sin_port && there.sin_addr.s_addr == here.sin_addr.s_addr ? "yes" : "no");
        close(server);
        close(fd);
    }
    close(listening);
}

static void wrong_arguments(void)
{
    int fd = make_blocking(SOCK_STREAM);
    struct sockaddr_in at = address("127.0.0.1", 9);
    line("connect-short-address", connect(fd, (struct sockaddr *)&at, 3));
    at.sin_family = AF_UNIX;
    line("connect-wrong-family", connect(fd, (struct sockaddr *)&at, sizeof at));
    if (POINTERS_ARE_CHECKED)
        line("connect-bad-pointer", connect(fd, (struct sockaddr *)8, sizeof at));
    line("connect-port-0", connect_to(fd, "127.0.0.1", 0));
    close(fd);
    line("connect-closed-descriptor", connect_to(fd, "127.0.0.1", 9));
    int pipes[2];
    must(pipe(pipes) == 0, "a pipe is made");
    line("connect-not-a-socket", connect_to(pipes[0], "127.0.0.1", 9));
    close(pipes[0]);
    close(pipes[1]);

    struct pair both = connected();
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    line("connect-unspec.connected", connect(both.client, &none, sizeof none));
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    line("connect-unspec.getpeername", getpeername(both.client, (struct sockaddr *)&peer, &length));
    close(both.client);
    close(both.server);
}

static void bound_first(void)
{
    int listening = listener();
    int fd = make_blocking(SOCK_STREAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    int port = port_of(fd);
    line("connect-bound-first", connect_to(fd, "127.0.0.1", port_of(listening)));
    text("connect-bound-first.keeps-port", "%s", port_of(fd) == port ? "yes" : "no");
    close(take(listening));
    close(fd);
    close(listening);
}

static void kinds(void)
{
    static const struct { const char *name; int domain, type, protocol; } WANTED[] = {
        { "socket-stream", AF_INET, SOCK_STREAM, 0 }, { "socket-tcp", AF_INET, SOCK_STREAM, IPPROTO_TCP },
        { "socket-stream-udp", AF_INET, SOCK_STREAM, IPPROTO_UDP },
        { "socket-datagram-udp", AF_INET, SOCK_DGRAM, IPPROTO_UDP },
        { "socket-datagram-tcp", AF_INET, SOCK_DGRAM, IPPROTO_TCP },
        { "socket-seqpacket", AF_INET, SOCK_SEQPACKET, 0 }, { "socket-wrong-type", AF_INET, 99, 0 },
        { "socket-wrong-protocol", AF_INET, SOCK_STREAM, 9999 }, { "socket-wrong-domain", 99, SOCK_STREAM, 0 },
    };
    for (size_t i = 0; i < sizeof WANTED / sizeof *WANTED; i++) {
        int fd = socket(WANTED[i].domain, WANTED[i].type, WANTED[i].protocol);
        line(WANTED[i].name, fd >= 0 ? 0 : -1);
        if (fd >= 0)
            close(fd);
    }
    if (!NUMBERS_ARE_FILES)
        return;
    int pair[2];
    line("socketpair-unix", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    line("socketpair-inet", socketpair(AF_INET, SOCK_STREAM, 0, pair));
}

void connecting(void)
{
    refused();
    unreachable();
    in_progress();
    addresses();
    wrong_arguments();
    bound_first();
    kinds();
}
