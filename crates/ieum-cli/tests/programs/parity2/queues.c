/* The accept queue: how many wait in it, what is said of those, what happens to one too many. */
#include "parity2.h"

#include <limits.h>

static int queue_length(int fd) { return (int)tcp_info_of(fd).tcpi_unacked; }

static int queue_bound(int fd) { return (int)tcp_info_of(fd).tcpi_sacked; }

/* How many of `count` connects become connections while nobody accepts. */
static int established_of(int *clients, int count, int listening)
{
    int done = 0, port = port_of(listening);
    for (int i = 0; i < count; i++) {
        clients[i] = make(SOCK_STREAM);
        int began = connect_to(clients[i], "127.0.0.1", port);
        must(began == 0 || errno == EINPROGRESS, "a connect begins");
        /* One at a time, so that none is half-way when the next one asks. Nothing tells that one too many is left
         * waiting: it gets a moment, the others what they need. */
        int patience = queue_length(listening) > queue_bound(listening) ? 100 : PATIENCE_MS;
        for (int tries = 0; tries < patience && !(strstr(mask(clients[i]), "OUT")); tries++)
            poll(NULL, 0, 1);
        done += strstr(mask(clients[i]), "OUT") != NULL;
    }
    return done;
}

static void bounded(int backlog)
{
    char name[60];
    int listening = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, backlog) == 0, "a socket listens");
    int clients[8], count = 8;
    int done = established_of(clients, count, listening);
    snprintf(name, sizeof name, "backlog-%d", backlog);
    text2(name, "established", "%d", done);
    text2(name, "queue", "%d of %d", queue_length(listening), queue_bound(listening));
    text2(name, "one-too-many", "%s", mask(clients[count - 1]));
    int accepted = 0, fd;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        accepted++;
        close(fd);
        if (accepted == done)
            break;
    }
    text2(name, "accepted", "%d", accepted);
    for (int i = 0; i < count; i++)
        close(clients[i]);
    close(listening);
}

/* What listen asks for, bounded by net.core.somaxconn, which is 4096 in a fresh namespace; less than nothing asks for all. */
static void bound_of(int backlog)
{
    char name[40];
    int listening = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, backlog) == 0, "a socket listens");
    snprintf(name, sizeof name, "backlog-%d.bound", backlog);
    text(name, "%d", queue_bound(listening));
    close(listening);
}

static void grows(void)
{
    int listening = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 1) == 0, "a socket listens");
    int clients[8];
    int done = established_of(clients, 3, listening);
    text("backlog-grows.before", "%d", done);
    line("backlog-grows.listen", listen(listening, 8));
    done = established_of(clients + 3, 3, listening);
    text("backlog-grows.after", "%d", done);
    text("backlog-grows.bound", "%d", queue_bound(listening));
    for (int i = 0; i < 6; i++)
        close(clients[i]);
    close(listening);
}

static void too_late(void)
{
    /* What waits stays what it is: bytes, ends and resets are there when it is accepted. */
    int listening = listener();
    int port = port_of(listening);
    int first = make_blocking(SOCK_STREAM), second = make_blocking(SOCK_STREAM), third = make_blocking(SOCK_STREAM);
    must(connect_to(first, "127.0.0.1", port) == 0, "one connects");
    must(write(first, "early", 5) == 5, "and writes");
    must(connect_to(second, "127.0.0.1", port) == 0, "two connects");
    close(second);
    must(connect_to(third, "127.0.0.1", port) == 0, "three connects");
    reset(third);
    settle(listening, POLLIN);
    for (int tries = 0; tries < PATIENCE_MS && queue_length(listening) < 3; tries++)
        poll(NULL, 0, 1);
    text("waiting-in-queue.length", "%d", queue_length(listening));
    char into[16];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    int fd = accept(listening, (struct sockaddr *)&from, &length);
    line("waiting-in-queue.first", read(fd, into, sizeof into));
    text("waiting-in-queue.length-then", "%d", queue_length(listening));
    close(fd);
    fd = accept(listening, NULL, NULL);
    settle(fd, POLLIN);
    line("waiting-in-queue.second", read(fd, into, sizeof into));
    close(fd);
    length = sizeof from;
    fd = accept(listening, (struct sockaddr *)&from, &length);
    text("waiting-in-queue.third.length", "%u", length);
    settle(fd, POLLERR | POLLHUP);
    line("waiting-in-queue.third", read(fd, into, sizeof into));
    line("waiting-in-queue.third-then", read(fd, into, sizeof into));
    close(fd);
    line("waiting-in-queue.empty", accept(listening, NULL, NULL));
    close(first);
    close(listening);
}

void queues(void)
{
    bounded(0);
    bounded(1);
    bounded(4);
    const int backlogs[] = { 5, 4095, 4096, 4097, 100000, INT_MAX, -1, INT_MIN };
    for (size_t i = 0; i < sizeof backlogs / sizeof *backlogs; i++)
        bound_of(backlogs[i]);
    grows();
    too_late();
}
