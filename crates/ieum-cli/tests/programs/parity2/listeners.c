/* What a listener waits for before it has a connection, and how several share a port: TCP_DEFER_ACCEPT, TCP Fast Open, SO_REUSEPORT. */
#include "parity2.h"

/* Longer than the second after which a SYN-ACK is sent again, on a busy machine too; who waits wakes when it happens. */
#define DEFERRED_MS 20000

static int of_tcp(int fd, int option)
{
    int value = -77;
    socklen_t length = sizeof value;
    return getsockopt(fd, IPPROTO_TCP, option, &value, &length) ? -1 : value;
}

static int set_of_tcp(int fd, int option, int value) { return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value); }

static int unaccepted(int fd) { return (int)tcp_info_of(fd).tcpi_unacked; }

static int state_of(int fd) { return tcp_info_of(fd).tcpi_state; }

/* Seconds become as many retransmissions as take them, and these seconds again. */
static void deferred_seconds(void)
{
    static const int SECONDS[] = { 0, 1, 2, 3, 4, 7, 8, 15, 16, 63, 64, 100, 127, 128, 1000, 70000, 2147483647, -1, -2147483647 };
    int fd = make(SOCK_STREAM);
    line("defer.default", of_tcp(fd, TCP_DEFER_ACCEPT));
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++) {
        char name[40];
        snprintf(name, sizeof name, "defer.of.%d", SECONDS[i]);
        line2(name, "set", set_of_tcp(fd, TCP_DEFER_ACCEPT, SECONDS[i]));
        line2(name, "back", of_tcp(fd, TCP_DEFER_ACCEPT));
    }
    close(fd);
}

static int one_who_defers(int seconds)
{
    int fd = listener();
    must(set_of_tcp(fd, TCP_DEFER_ACCEPT, seconds) == 0, "a listener waits for data");
    return fd;
}

static int client_of(int listening)
{
    int fd = make_blocking(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    blocking(fd, false);
    return fd;
}

/* What was sent before it has arrived: another connection, made later, waits at its listener. */
static void let_arrive(void)
{
    int other = listener(), client = client_of(other);
    settle(other, POLLIN);
    close(client);
    close(other);
}

static void deferred(void)
{
    char into[8];
    int listening = one_who_defers(30), client = client_of(listening);
    let_arrive();
    text("defer.waits.poll", "%s", mask(listening));
    line("defer.waits.queue", unaccepted(listening));
    line("defer.waits.accept", accept(listening, NULL, NULL));
    line("defer.waits.client", state_of(client));
    line("defer.waits.client-ends", shutdown(client, SHUT_RDWR));
    /* An end is something to be read, too. */
    text("defer.ended.poll", "%s", settle(listening, POLLIN));
    int server = take(listening);
    text("defer.ended.server", "%s", settle(server, POLLIN | POLLRDHUP));
    line("defer.ended.recv", recv(server, into, sizeof into, 0));
    close(server);
    close(client);

    client = client_of(listening);
    line("defer.write", write(client, "hello", 5));
    text("defer.written.poll", "%s", settle(listening, POLLIN));
    server = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    line("defer.written.recv", recv(server, into, sizeof into, 0));
    line("defer.written.option", of_tcp(server, TCP_DEFER_ACCEPT));
    line("defer.written.answer", write(server, "you", 3));
    settle(client, POLLIN);
    line("defer.written.answered", recv(client, into, sizeof into, 0));
    close(server);
    close(client);

    /* Who wrote first waits before who connected first. */
    int silent = client_of(listening);
    client = client_of(listening);
    must(write(client, "a", 1) == 1, "a byte is written");
    settle(listening, POLLIN);
    line("defer.two.queue", unaccepted(listening));
    server = take(listening);
    line("defer.two.first", recv(server, into, sizeof into, 0));
    close(server);
    must(write(silent, "bc", 2) == 2, "bytes are written");
    server = take(listening);
    line("defer.two.second", recv(server, into, sizeof into, 0));
    close(server);
    close(silent);
    close(client);

    /* Not any more. */
    must(set_of_tcp(listening, TCP_DEFER_ACCEPT, 0) == 0, "a listener waits no more");
    client = client_of(listening);
    text("defer.off.poll", "%s", settle(listening, POLLIN));
    close(take(listening));
    close(client);
    close(listening);

    /* Nor when the seconds are over. */
    listening = one_who_defers(1);
    client = client_of(listening);
    struct pollfd late = { .fd = listening, .events = POLLIN };
    line("defer.over.poll", poll(&late, 1, DEFERRED_MS));
    server = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    line("defer.over.recv", recv(server, into, sizeof into, 0));
    close(server);
    close(client);
    close(listening);

    /* A client that says so: what it does shows to nobody. */
    listening = listener();
    client = make_blocking(SOCK_STREAM);
    must(set_of_tcp(client, TCP_DEFER_ACCEPT, 5) == 0, "a client defers");
    line("defer.client.connect", connect_to(client, "127.0.0.1", port_of(listening)));
    line("defer.client.write", write(client, "abc", 3));
    server = take(listening);
    settle(server, POLLIN);
    line("defer.client.recv", recv(server, into, sizeof into, 0));
    close(server);
    close(client);
    close(listening);
}

/* The options of Fast Open in each state that they look at. */
static void fast_open_options(void)
{
    static const struct { const char *name; int option; } OPTIONS[] = {
        { "listener", TCP_FASTOPEN }, { "connect", TCP_FASTOPEN_CONNECT }, { "no-cookie", TCP_FASTOPEN_NO_COOKIE },
    };
    static const int VALUES[] = { 1, 16, 100000, -1, 0 };
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        struct pair both = connected();
        struct { const char *name; int fd; } states[] = {
            { "fresh", make(SOCK_STREAM) }, { "listening", listener() }, { "connected", both.client },
        };
        for (size_t j = 0; j < sizeof states / sizeof *states; j++) {
            char name[80];
            snprintf(name, sizeof name, "fast-open.%s.%s", OPTIONS[i].name, states[j].name);
            line2(name, "default", of_tcp(states[j].fd, OPTIONS[i].option));
            for (size_t k = 0; k < sizeof VALUES / sizeof *VALUES; k++) {
                char value[100];
                snprintf(value, sizeof value, "%s.%d", name, VALUES[k]);
                line2(value, "set", set_of_tcp(states[j].fd, OPTIONS[i].option, VALUES[k]));
                line2(value, "back", of_tcp(states[j].fd, OPTIONS[i].option));
            }
            close(states[j].fd);
        }
        close(both.server);
    }
}

static int fast_listener(void)
{
    int fd = listener();
    must(set_of_tcp(fd, TCP_FASTOPEN, 16) == 0, "a listener takes data with a SYN");
    return fd;
}

static int fast_client(bool without_cookie)
{
    int fd = make_blocking(SOCK_STREAM);
    must(set_of_tcp(fd, TCP_FASTOPEN_CONNECT, 1) == 0, "a client sends data with its SYN");
    must(set_of_tcp(fd, TCP_FASTOPEN_NO_COOKIE, without_cookie) == 0, "with a cookie or without");
    return fd;
}

/* The client alone may do so here (net.ipv4.tcp_fastopen is 1): what it says with its SYN it says again. */
static void fast_open(bool without_cookie)
{
    const char *name = without_cookie ? "fast-open.no-cookie" : "fast-open.asks";
    char into[8];
    int listening = fast_listener(), client = fast_client(without_cookie);
    line2(name, "connect", connect_to(client, "127.0.0.1", port_of(listening)));
    line2(name, "write", write(client, "hello", 5));
    int server = take(listening);
    settle(server, POLLIN);
    line2(name, "recv", recv(server, into, sizeof into, 0));
    line2(name, "client", state_of(client));
    text2(name, "inherited", "%d %d", of_tcp(server, TCP_FASTOPEN), of_tcp(server, TCP_FASTOPEN_NO_COOKIE));
    line2(name, "answer", write(server, "you", 3));
    settle(client, POLLIN);
    line2(name, "answered", recv(client, into, sizeof into, 0));
    line2(name, "connect-again", connect_to(client, "127.0.0.1", port_of(listening)));
    close(server);
    close(client);

    /* The next one knows what the first was told. */
    client = fast_client(without_cookie);
    blocking(client, false);
    line2(name, "later.connect", connect_to(client, "127.0.0.1", port_of(listening)));
    text2(name, "later.poll", "%s", settle(client, POLLOUT));
    line2(name, "later.write", write(client, "abc", 3));
    server = take(listening);
    settle(server, POLLIN);
    line2(name, "later.recv", recv(server, into, sizeof into, 0));
    close(server);
    close(client);
    close(listening);

    client = fast_client(without_cookie);
    line2(name, "refused.connect", connect_to(client, "127.0.0.1", closed_port()));
    close(client);
}

/* MSG_FASTOPEN: a stream that connects with what it sends. */
static void fast_message(void)
{
    char into[8];
    int listening = fast_listener(), client = make_blocking(SOCK_STREAM);
    struct sockaddr_in to = address("127.0.0.1", port_of(listening)), nobody = address("127.0.0.1", closed_port());
    line("fast-open.message.nowhere", sendto(client, "hello", 5, MSG_FASTOPEN, NULL, 0));
    long sent = sendto(client, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to);
    line("fast-open.message.sendto", sent);
    /* Programs do so when they are told that it is not supported. */
    if (sent == -1)
        must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    line("fast-open.message.write", write(client, "!", 1));
    line("fast-open.message.sendto-connected", sendto(client, "abc", 3, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to));
    int server = take(listening);
    must(shutdown(client, SHUT_WR) == 0, "a client has said everything");
    blocking(server, true);
    line("fast-open.message.recv", recv(server, into, sizeof into, MSG_WAITALL));
    close(server);
    close(client);
    client = make_blocking(SOCK_STREAM);
    line("fast-open.message.refused", sendto(client, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&nobody, sizeof nobody));
    close(client);
    close(listening);
    int datagrams = make(SOCK_DGRAM);
    line("fast-open.message.datagram", sendto(datagrams, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to));
    close(datagrams);
}

static int one_who_shares(int port)
{
    int fd = make(SOCK_STREAM), yes = 1;
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0, "it shares its port");
    must(bind_to(fd, "127.0.0.1", port) == 0 && listen(fd, 128) == 0, "it listens");
    return fd;
}

enum { SHARING = 3, CLIENTS = 64 };

/* Takes everything that waits, or comes while fewer than `count` have come, at all of the listeners that are open. */
static void take_all(const int *listening, int *taken, int *of_each, int count)
{
    struct pollfd all[SHARING];
    for (int i = 0; i < SHARING; i++) {
        all[i] = (struct pollfd){ .fd = listening[i], .events = POLLIN };
        of_each[i] = 0;
    }
    for (int done = 0; done < count;) {
        must(poll(all, SHARING, DEFERRED_MS) > 0, "a connection waits at some listener");
        for (int i = 0, fd; i < SHARING; i++)
            while (listening[i] >= 0 && (fd = accept(listening[i], NULL, NULL)) >= 0) {
                taken[done++] = fd;
                of_each[i]++;
            }
    }
}

static void close_all(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void spread(void)
{
    int listening[SHARING], clients[CLIENTS], taken[CLIENTS], of_each[SHARING], yes = 1;
    listening[0] = one_who_shares(0);
    int port = port_of(listening[0]);
    for (int i = 1; i < SHARING; i++)
        listening[i] = one_who_shares(port);
    int other = make(SOCK_STREAM);
    line("spread.bind-without", bind_to(other, "127.0.0.1", port));
    must(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "an option is taken");
    line("spread.bind-reuseaddr", bind_to(other, "127.0.0.1", port));
    close(other);

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_of(listening[0]);
    take_all(listening, taken, of_each, CLIENTS);
    text("spread.all", "%d", of_each[0] + of_each[1] + of_each[2]);
    text("spread.each-has-some", "%d", of_each[0] > 0 && of_each[1] > 0 && of_each[2] > 0);
    close_all(clients, CLIENTS);
    close_all(taken, CLIENTS);

    /* Two go on when one is closed, and one when two are. */
    for (int left = SHARING - 1; left > 0; left--) {
        close(listening[left]);
        listening[left] = -1;
        for (int i = 0; i < CLIENTS; i++)
            clients[i] = client_of(listening[0]);
        take_all(listening, taken, of_each, CLIENTS);
        char name[40];
        snprintf(name, sizeof name, "spread.%d-left", left);
        text2(name, "all", "%d", of_each[0] + of_each[1]);
        text2(name, "each-has-some", "%d", of_each[0] > 0 && (left == 1 || of_each[1] > 0));
        close_all(clients, CLIENTS);
        close_all(taken, CLIENTS);
    }

    /* What waited at one that is closed is reset, and the others have theirs. */
    listening[1] = one_who_shares(port);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_of(listening[0]);
    let_arrive();
    int waited = unaccepted(listening[1]), reset_count = 0;
    close(listening[1]);
    listening[1] = -1;
    take_all(listening, taken, of_each, CLIENTS - waited);
    for (int i = 0; i < CLIENTS - waited; i++)
        must(write(taken[i], "a", 1) == 1, "a byte is written");
    for (int i = 0; i < CLIENTS; i++)
        if (strcmp(settle(clients[i], POLLIN), "IN|OUT") != 0) {
            char into[1];
            reset_count += recv(clients[i], into, 1, 0) == -1 && errno == ECONNRESET;
        }
    text("spread.closed.some-waited", "%d", waited > 0 && waited < CLIENTS);
    text("spread.closed.reset", "%s", reset_count == waited ? "those that waited" : "others");
    close_all(clients, CLIENTS);
    close_all(taken, CLIENTS - waited);
    close(listening[0]);
}

/* Who comes again from the same place reaches the same listener: the addresses and ports of both ends choose it. */
static void spread_again(void)
{
    enum { PLACES = 16, TIMES = 4 };
    int listening[SHARING], server, of_each[SHARING], stayed = 0;
    listening[0] = one_who_shares(0);
    int port = port_of(listening[0]);
    for (int i = 1; i < SHARING; i++)
        listening[i] = one_who_shares(port);
    for (int i = 0; i < PLACES; i++) {
        int place = 0, reached[SHARING] = { 0 };
        for (int j = 0; j < TIMES; j++) {
            int client = make_blocking(SOCK_STREAM);
            must(bind_to(client, "127.0.0.1", place) == 0, "its port is free again");
            place = port_of(client);
            must(connect_to(client, "127.0.0.1", port) == 0, "a client connects");
            take_all(listening, &server, of_each, 1);
            for (int k = 0; k < SHARING; k++)
                reached[k] += of_each[k];
            /* A reset leaves no TIME-WAIT. */
            reset(client);
            settle(server, POLLHUP);
            close(server);
        }
        for (int k = 0; k < SHARING; k++)
            stayed += reached[k] == TIMES;
    }
    text("spread.again", "%d of %d at the same", stayed, PLACES);
    close_all(listening, SHARING);
}

void listeners(void)
{
    deferred_seconds();
    deferred();
    fast_open_options();
    fast_open(false);
    fast_open(true);
    fast_message();
    spread();
    spread_again();
}
