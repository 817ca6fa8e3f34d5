/* More of urgent data: in line, beside other bytes, seen by select and epoll, across an accept; and bytes before a reset. */
#include "parity2.h"

enum in_line { ITS_OWN, INHERITED, INHERITED_LATE };

static void in_line(enum in_line how)
{
    static const char *const names[] = { "urgent-in-line", "urgent-inherited", "urgent-inherited-late" };
    const char *which = names[how];
    int one = 1, listening = listener(), client = make_blocking(SOCK_STREAM), server = -1;
    char into[16] = { 0 };
    if (how != ITS_OWN)
        must(setsockopt(listening, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one) == 0, "an option is set");
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "it connects");
    if (how != INHERITED_LATE)
        server = take(listening);
    if (how == ITS_OWN)
        must(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one) == 0, "an option is set");
    must(send(client, "ab", 2, 0) == 2 && send(client, "!", 1, MSG_OOB) == 1, "bytes are sent");
    if (how == INHERITED_LATE)
        server = take(listening);
    text2(which, "poll", "%s", settle(server, POLLIN | POLLPRI));
    line2(which, "not-at-mark", sockatmark(server));
    line2(which, "before", recv(server, into, sizeof into, 0));
    line2(which, "at-mark", sockatmark(server));
    line2(which, "by-itself", recv(server, into + 2, 1, MSG_OOB));
    must(send(client, "cd", 2, 0) == 2, "bytes are sent");
    shutdown(client, SHUT_WR);
    long got = 2, now;
    blocking(server, true);
    while ((now = recv(server, into + got, sizeof into - (size_t)got, 0)) > 0)
        got += now;
    text2(which, "rest", "%s", into);
    close(client);
    close(server);
    close(listening);
}

static void watched(void)
{
    struct pair both = connected();
    struct epoll_event wish = { .events = EPOLLPRI | EPOLLET }, seen = { 0 };
    int set = epoll_create1(0);
    must(epoll_ctl(set, EPOLL_CTL_ADD, both.server, &wish) == 0, "it is watched");
    line2("urgent-watched", "none", epoll_wait(set, &seen, 1, 0));
    must(send(both.client, "!", 1, MSG_OOB) == 1, "a byte is sent");
    line2("urgent-watched", "epoll", epoll_wait(set, &seen, 1, PATIENCE_MS));
    text2("urgent-watched", "events", "%s", epoll_words(seen.events));
    fd_set special;
    FD_ZERO(&special);
    FD_SET(both.server, &special);
    line2("urgent-watched", "select", select(both.server + 1, NULL, NULL, &special, &(struct timeval){ 1, 0 }));
    char byte = 0;
    line2("urgent-watched", "peek", recv(both.server, &byte, 1, MSG_OOB | MSG_PEEK));
    line2("urgent-watched", "receive", recv(both.server, &byte, 1, MSG_OOB));
    text2("urgent-watched", "byte", "%c", byte);
    text2("urgent-watched", "after", "%s", mask(both.server));
    line2("urgent-watched", "nothing-else", recv(both.server, &byte, 1, 0));
    close(set);
    close(both.client);
    close(both.server);
}

/* The next byte is the urgent one, which is still to be read by itself. */
static void at_its_mark(void)
{
    struct pair both = connected();
    char into[16] = { 0 };
    must(send(both.client, "ab", 2, 0) == 2 && send(both.client, "!", 1, MSG_OOB) == 1, "bytes are sent");
    settle(both.server, POLLIN | POLLPRI);
    must(recv(both.server, into, sizeof into, 0) == 2, "what was before it is read");
    text2("urgent-next", "poll", "%s", mask(both.server));
    line2("urgent-next", "at-mark", sockatmark(both.server));
    line2("urgent-next", "none-sent", send(both.client, "", 0, MSG_OOB));
    line2("urgent-next", "by-itself", recv(both.server, into, 1, MSG_OOB));
    text2("urgent-next", "after", "%s", mask(both.server));
    close(both.client);
    close(both.server);
}

/* One call: the last of its bytes is urgent. */
static void among_others(void)
{
    struct pair both = connected();
    struct iovec part = { "abc!", 4 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    char into[16] = { 0 };
    line2("urgent-among", "send", sendmsg(both.client, &message, MSG_OOB));
    must(send(both.client, "def", 3, 0) == 3, "bytes are sent");
    settle(both.server, POLLIN | POLLPRI);
    line2("urgent-among", "before", recv(both.server, into, sizeof into, 0));
    line2("urgent-among", "at-mark", sockatmark(both.server));
    struct iovec one = { into, 1 };
    struct msghdr by_itself = { .msg_iov = &one, .msg_iovlen = 1 };
    line2("urgent-among", "receive", recvmsg(both.server, &by_itself, MSG_OOB));
    text2("urgent-among", "flags", "%s", by_itself.msg_flags & MSG_OOB ? "OOB" : "none");
    text2("urgent-among", "byte", "%c", into[0]);
    blocking(both.server, true);
    line2("urgent-among", "after", recv(both.server, into, sizeof into, 0));
    close(both.client);
    close(both.server);
}

/* What was written before a close that resets has been sent. */
static void before_a_reset(void)
{
    struct pair both = connected();
    char into[16];
    must(send(both.client, "hello", 5, 0) == 5, "bytes are sent");
    reset(both.client);
    settle(both.server, POLLIN | POLLERR);
    line2("before-reset", "bytes", recv(both.server, into, sizeof into, 0));
    line2("before-reset", "reset", recv(both.server, into, sizeof into, 0));
    close(both.server);
    both = connected();
    must(send(both.server, "unread", 6, 0) == 6 && send(both.client, "hello", 5, 0) == 5, "bytes are sent");
    settle(both.client, POLLIN);
    close(both.client);
    settle(both.server, POLLIN | POLLERR);
    line2("before-reset-unread", "bytes", recv(both.server, into, sizeof into, 0));
    line2("before-reset-unread", "reset", recv(both.server, into, sizeof into, 0));
    close(both.server);
}

/* A connect that is refused as such leaves the reset where it was. */
static void connected_after_a_reset(void)
{
    struct pair both = connected();
    char into[16];
    reset(both.client);
    settle(both.server, POLLERR | POLLHUP);
    line2("reset-then-connect", "connect", connect_to(both.server, "127.0.0.1", closed_port()));
    text2("reset-then-connect", "poll", "%s", mask(both.server));
    line2("reset-then-connect", "recv", recv(both.server, into, sizeof into, 0));
    line2("reset-then-connect", "again", recv(both.server, into, sizeof into, 0));
    close(both.server);
}

static void *write_until_error(void *argument)
{
    static char block[65536];
    int *fd = argument;
    while (send(*fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

/* Both directions are full when the reset comes: who writes hears of it, though there is much to read before. */
static void full_both_ways(bool waits)
{
    static char block[65536];
    const char *which = waits ? "full-reset-waiting" : "full-reset";
    struct pair both = connected();
    long sent = fill(both.client), got = 0, now;
    pthread_t writer;
    if (waits) {
        blocking(both.server, true);
        must(pthread_create(&writer, NULL, write_until_error, &both.server) == 0, "a thread starts");
        poll(NULL, 0, 200);
    } else {
        fill(both.server);
    }
    reset(both.client);
    if (waits) {
        must(pthread_join(writer, NULL) == 0, "the thread ends");
        blocking(both.server, false);
    }
    text2(which, "writable", "%s", strstr(settle(both.server, POLLOUT), "OUT") ? "yes" : "no");
    /* What was on its way before the reset may make room for a moment. */
    int waited = 0;
    while (((now = send(both.server, block, 1, MSG_NOSIGNAL)) > 0 || errno == EAGAIN) && waited++ < PATIENCE_MS)
        poll(NULL, 0, 1);
    /* With which error: `reset.write-first` of the first program. */
    text2(which, "write", "%s", now < 0 && errno != EAGAIN ? "fails" : "goes");
    settle(both.server, POLLIN);
    while ((now = recv(both.server, block, sizeof block, 0)) > 0)
        got += now, settle(both.server, POLLIN);
    text2(which, "read", "%s", got > 0 && got <= sent ? "some" : "none");
    close(both.server);
}

void more_urgent(void)
{
    in_line(ITS_OWN);
    in_line(INHERITED);
    in_line(INHERITED_LATE);
    watched();
    at_its_mark();
    among_others();
    before_a_reset();
    connected_after_a_reset();
    full_both_ways(false);
    full_both_ways(true);
}
