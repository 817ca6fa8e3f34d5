/* epoll in all its manners, select, and what they say while a socket lives. */
#include "parity2.h"

static int watch(int fd, unsigned events)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0, "an epoll is made");
    struct epoll_event event = { .events = events };
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "a socket is watched");
    return epoll;
}

/* What it tells: waits until something is there when something is expected. */
static const char *told(int epoll, bool expected)
{
    struct epoll_event event = { 0 };
    int count = epoll_wait(epoll, &event, 1, expected ? PATIENCE_MS : 30);
    return count == 1 ? epoll_words(event.events) : "nothing";
}

static void in_states(void)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        struct subject s = { -1, -1, -1 };
        STATES[i].make(&s);
        int level = watch(s.fd, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP);
        text2(STATES[i].name, "epoll", "%s", told(level, false));
        text2(STATES[i].name, "epoll-again", "%s", told(level, false));
        close(level);
        int edge = watch(s.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        text2(STATES[i].name, "epoll-edge", "%s", told(edge, false));
        /* What is still under way (an acknowledgement, an end) may be told once more, and when depends on the moment. */
        if (strcmp(STATES[i].name, "write-shut") != 0 && strcmp(STATES[i].name, "both-finished") != 0)
            text2(STATES[i].name, "epoll-edge-again", "%s", told(edge, false));
        close(edge);
        fd_set read_set, write_set, error_set;
        FD_ZERO(&read_set);
        FD_ZERO(&write_set);
        FD_ZERO(&error_set);
        FD_SET(s.fd, &read_set);
        FD_SET(s.fd, &write_set);
        FD_SET(s.fd, &error_set);
        struct timeval none = { 0 };
        int count = select(s.fd + 1, &read_set, &write_set, &error_set, &none);
        text2(STATES[i].name, "select", "%d:%s%s%s", count, FD_ISSET(s.fd, &read_set) ? " read" : "",
            FD_ISSET(s.fd, &write_set) ? " write" : "", FD_ISSET(s.fd, &error_set) ? " except" : "");
        give_up(&s);
    }
}

static void shot_once(void)
{
    struct pair both = connected();
    int epoll = watch(both.server, EPOLLIN | EPOLLONESHOT);
    text("oneshot.quiet", "%s", told(epoll, false));
    must(write(both.client, "a", 1) == 1, "a byte is written");
    text("oneshot.first", "%s", told(epoll, true));
    must(write(both.client, "b", 1) == 1, "a byte is written");
    text("oneshot.disarmed", "%s", told(epoll, false));
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
    line("oneshot.rearm", epoll_ctl(epoll, EPOLL_CTL_MOD, both.server, &event));
    text("oneshot.rearmed", "%s", told(epoll, true));
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | EPOLLONESHOT;
    char into[8];
    must(read(both.server, into, sizeof into) == 2, "two bytes are read");
    line("oneshot.edge-rearm", epoll_ctl(epoll, EPOLL_CTL_MOD, both.server, &event));
    text("oneshot.edge-quiet", "%s", told(epoll, false));
    close(both.client);
    text("oneshot.edge-end", "%s", told(epoll, true));
    close(epoll);
    close(both.server);
}

static void edges(void)
{
    struct pair both = connected();
    int epoll = watch(both.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    text("edges.first", "%s", told(epoll, true));
    text("edges.told", "%s", told(epoll, false));
    must(write(both.client, "abcd", 4) == 4, "bytes are written");
    text("edges.bytes", "%s", told(epoll, true));
    char into[8];
    must(read(both.server, into, 2) == 2, "two of them are read");
    text("edges.half-read", "%s", told(epoll, false));
    must(write(both.client, "ef", 2) == 2, "more are written");
    text("edges.more", "%s", told(epoll, true));
    must(read(both.server, into, 8) == 4, "all are read");
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
    line("edges.modified", epoll_ctl(epoll, EPOLL_CTL_MOD, both.server, &event));
    text("edges.modified.told", "%s", told(epoll, true));
    must(shutdown(both.client, SHUT_WR) == 0, "the far end finishes");
    text("edges.end", "%s", told(epoll, true));
    must(shutdown(both.server, SHUT_WR) == 0, "this end finishes");
    text("edges.both", "%s", settle(both.server, POLLHUP));
    close(epoll);
    close(both.client);
    close(both.server);
}

static void room(void)
{
    struct pair both = connected();
    int epoll = watch(both.client, EPOLLOUT | EPOLLET);
    told(epoll, true);
    static char block[65536];
    long sent = 0;
    for (;;) {
        long now = send(both.client, block, sizeof block, MSG_NOSIGNAL);
        if (now >= 0) {
            sent += now;
            continue;
        }
        /* Bytes that are on their way make room for others until all queues are full. */
        int saved = errno;
        struct pollfd one = { .fd = both.client, .events = POLLOUT };
        if (poll(&one, 1, 300) == 0) {
            errno = saved;
            break;
        }
    }
    text("room.full", "%s", errno_name(errno));
    text("room.full.poll", "%s", mask(both.client));
    long got = 0;
    while (got < sent) {
        struct pollfd one = { .fd = both.server, .events = POLLIN };
        must(poll(&one, 1, PATIENCE_MS) == 1, "bytes come");
        long now = read(both.server, block, sizeof block);
        must(now > 0, "bytes are read");
        got += now;
    }
    text("room.again", "%s", told(epoll, true));
    text("room.all-came", "%s", got == sent ? "yes" : "no");
    close(epoll);
    close(both.client);
    close(both.server);
}

static void exclusive(void)
{
    int listening = listener();
    int one = watch(listening, EPOLLIN | EPOLLEXCLUSIVE), two = watch(listening, EPOLLIN | EPOLLEXCLUSIVE);
    text("exclusive.quiet", "%s", told(one, false));
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    settle(listening, POLLIN);
    text("exclusive.both-look", "%s %s", told(one, true), told(two, true));
    struct epoll_event event = { .events = EPOLLIN };
    line("exclusive.modified", epoll_ctl(one, EPOLL_CTL_MOD, listening, &event));
    close(take(listening));
    text("exclusive.taken", "%s", told(one, false));
    close(client);
    close(listening);
    close(one);
    close(two);
}

static void connecting_watched(void)
{
    int listening = listener();
    int fd = make(SOCK_STREAM);
    int epoll = watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    text("watched-connect.fresh", "%s", told(epoll, true));
    must(connect_to(fd, "127.0.0.1", port_of(listening)) == 0 || errno == EINPROGRESS, "a connect begins");
    text("watched-connect.done", "%s", told(epoll, true));
    int server = take(listening);
    close(server);
    const char *words = told(epoll, true);
    for (int tries = 0; tries < 10 && !strstr(words, "RDHUP"); tries++)
        words = told(epoll, true);
    text("watched-connect.closed", "%s", words);
    close(epoll);
    close(fd);

    fd = make(SOCK_STREAM);
    epoll = watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    told(epoll, true);
    must(connect_to(fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    text("watched-connect.refused", "%s", told(epoll, true));
    text("watched-connect.refused.so-error", "%s", errno_name(take_error(fd)));
    close(epoll);
    close(fd);
    close(listening);
}

static void copies_watched(void)
{
    /* A watch lives as long as the description, not the number. */
    struct pair both = connected();
    int copy = dup(both.server);
    int epoll = watch(both.server, EPOLLIN);
    close(both.server);
    must(write(both.client, "a", 1) == 1, "a byte is written");
    text("watched-copy.after-close", "%s", told(epoll, true));
    close(copy);
    text("watched-copy.after-last-close", "%s", told(epoll, false));
    close(epoll);
    close(both.client);
}

void waiting(void)
{
    in_states();
    shot_once();
    edges();
    room();
    exclusive();
    connecting_watched();
    copies_watched();
}
