/* Bytes on their way: flags, vectors, urgent data, full buffers, readiness by epoll. */
#include "parity.h"

static void by_flags(void)
{
    char into[64];
    struct pair both = connected();
    must(send(both.client, "0123456789", 10, 0) == 10, "bytes are sent");
    settle(both.server, POLLIN);
    line("flags.peek", recv(both.server, into, 4, MSG_PEEK));
    line("flags.truncate", recv(both.server, into, 4, MSG_TRUNC));
    line("flags.rest", recv(both.server, into, sizeof into, 0));
    line("flags.empty", recv(both.server, into, sizeof into, 0));
    line("flags.dont-wait", recv(both.server, into, sizeof into, MSG_DONTWAIT));
    line("flags.out-of-band-none", recv(both.server, into, 1, MSG_OOB));
    line("flags.error-queue-none", recv(both.server, into, 1, MSG_ERRQUEUE));
    line("flags.more", send(both.client, "ab", 2, MSG_MORE));
    line("flags.more-end", send(both.client, "cd", 2, 0));
    blocking(both.server, true);
    line("flags.wait-all", recv(both.server, into, 4, MSG_WAITALL));
    if (POINTERS_ARE_CHECKED)
        line("flags.bad-pointer", send(both.client, (void *)8, 4, MSG_NOSIGNAL));
    line("flags.zero-length-recv", recv(both.server, into, 0, MSG_DONTWAIT));
    close(both.client);
    close(both.server);
}

static void by_vectors(void)
{
    char a[3], b[8];
    struct pair both = connected();
    struct iovec out[2] = { { "abc", 3 }, { "defgh", 5 } };
    line("writev", writev(both.client, out, 2));
    settle(both.server, POLLIN);
    struct iovec in[2] = { { a, sizeof a }, { b, sizeof b } };
    line("readv", readv(both.server, in, 2));

    struct sockaddr_in named;
    memset(&named, 0xee, sizeof named);
    struct msghdr message = { .msg_iov = out, .msg_iovlen = 2 };
    line("sendmsg", sendmsg(both.client, &message, 0));
    settle(both.server, POLLIN);
    message = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2, .msg_name = &named, .msg_namelen = sizeof named };
    line("recvmsg", recvmsg(both.server, &message, 0));
    text("recvmsg.name", "length %u, control %zu, flags %d", message.msg_namelen, message.msg_controllen, message.msg_flags);

    must(send(both.client, "abc", 3, 0) == 3, "bytes are sent");
    settle(both.server, POLLIN);
    socklen_t length = sizeof named;
    line("recvfrom-stream", recvfrom(both.server, b, sizeof b, 0, (struct sockaddr *)&named, &length));
    text("recvfrom-stream.length", "%u", length);
    struct sockaddr_in elsewhere = address("127.0.0.1", 9);
    line("sendto-connected-stream", sendto(both.client, "abc", 3, 0, (struct sockaddr *)&elsewhere, sizeof elsewhere));
    int fresh = make(SOCK_STREAM);
    line("sendto-fresh-stream", sendto(fresh, "abc", 3, MSG_NOSIGNAL, (struct sockaddr *)&elsewhere, sizeof elsewhere));
    close(fresh);
    close(both.client);
    close(both.server);
}

static void urgent(void)
{
    char into[16] = "-";
    struct pair both = connected();
    must(send(both.client, "ab", 2, 0) == 2, "bytes are sent");
    line("urgent.send", send(both.client, "!", 1, MSG_OOB));
    text("urgent.poll", "%s", settle(both.server, POLLIN | POLLPRI));
    line("urgent.recv", recv(both.server, into, 1, MSG_OOB));
    text("urgent.byte", "%c", into[0]);
    line("urgent.recv-again", recv(both.server, into, 1, MSG_OOB));
    line("urgent.before-mark", recv(both.server, into, sizeof into, 0));
    line("urgent.at-mark", sockatmark(both.server));
    must(send(both.client, "cd", 2, 0) == 2, "bytes are sent");
    /* Not by poll, which AF_UNIX answers too early at a mark whose byte was read. */
    blocking(both.server, true);
    line("urgent.after-mark", recv(both.server, into, sizeof into, 0));
    close(both.client);
    close(both.server);
}

static void full(void)
{
    static char block[65536];
    /* Who reads nothing is not read ahead for: three times what tcp_wmem lets a send buffer grow to. */
    static const long ROOM_MAX = 12 << 20;
    struct pair both = connected();
    long sent = fill(both.client), got = 0, count;
    int refusal = errno;
    text("full.poll", "%s", mask(both.client));
    text("full.send", "%s", errno_name(refusal));
    text("full.room", "%s", sent < ROOM_MAX ? "bounded" : "far too much");
    must(shutdown(both.client, SHUT_WR) == 0, "this end finishes");
    blocking(both.server, true);
    struct timeval patience = { .tv_sec = 5 };
    must(setsockopt(both.server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0, "a time-out is set");
    while ((count = read(both.server, block, sizeof block)) > 0)
        got += count;
    text("full.all-arrives", "%s", count == 0 && got == sent ? "yes" : "no");
    close(both.client);
    close(both.server);
}

static const char *events(int poller, int timeout_ms)
{
    static char out[80];
    struct epoll_event seen[4];
    int count = epoll_wait(poller, seen, 4, timeout_ms);
    if (count != 1)
        return count == 0 ? "nothing" : "several";
    snprintf(out, sizeof out, "%s%s%s%s", seen[0].events & EPOLLIN ? "IN " : "", seen[0].events & EPOLLOUT ? "OUT " : "",
             seen[0].events & EPOLLRDHUP ? "RDHUP " : "", seen[0].events & (EPOLLHUP | EPOLLERR) ? "HUP|ERR " : "");
    return out;
}

static void edges(void)
{
    char into[8];
    struct pair both = connected();
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
    must(epoll_ctl(poller, EPOLL_CTL_ADD, both.server, &wanted) == 0, "an epoll takes a socket");
    text("edge.quiet", "%s", events(poller, 0));
    must(write(both.client, "ab", 2) == 2, "bytes are written");
    text("edge.bytes", "%s", events(poller, PATIENCE_MS));
    text("edge.told-once", "%s", events(poller, 0));
    must(write(both.client, "cd", 2) == 2, "bytes are written");
    text("edge.more-bytes", "%s", events(poller, PATIENCE_MS));
    line("edge.read", read(both.server, into, sizeof into));
    must(shutdown(both.client, SHUT_WR) == 0, "this end finishes");
    text("edge.end", "%s", events(poller, PATIENCE_MS));
    close(both.client);
    close(both.server);
    close(poller);

    poller = epoll_create1(EPOLL_CLOEXEC);
    int listening = listener();
    wanted.events = EPOLLIN | EPOLLET;
    must(epoll_ctl(poller, EPOLL_CTL_ADD, listening, &wanted) == 0, "an epoll takes a socket");
    text("edge.listening.quiet", "%s", events(poller, 0));
    int fd = make(SOCK_STREAM);
    int connecting = epoll_create1(EPOLL_CLOEXEC);
    int started = connect_to(fd, "127.0.0.1", port_of(listening));
    must(started == -1 && errno == EINPROGRESS, "a connect is in progress");
    wanted.events = EPOLLOUT | EPOLLET;
    must(epoll_ctl(connecting, EPOLL_CTL_ADD, fd, &wanted) == 0, "an epoll takes a socket");
    text("edge.connected", "%s", events(connecting, PATIENCE_MS));
    text("edge.listening.connection", "%s", events(poller, PATIENCE_MS));
    int server = take(listening);
    text("edge.listening.taken", "%s", events(poller, 0));
    close(server);
    close(fd);
    close(listening);
    close(connecting);
    close(poller);
}

static void registered_fresh(void)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);
    int listening = listener();
    int fd = make(SOCK_STREAM);
    struct epoll_event wanted = { .events = EPOLLOUT | EPOLLIN | EPOLLET };
    must(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted) == 0, "an epoll takes a fresh socket");
    text("edge.fresh", "%s", events(poller, 0));
    must(connect_to(fd, "127.0.0.1", port_of(listening)) == -1 && errno == EINPROGRESS, "a connect is in progress");
    text("edge.fresh.connected", "%s", events(poller, PATIENCE_MS));
    int server = take(listening);
    must(write(server, "ab", 2) == 2, "bytes are written");
    /* An edge for OUT alone may come before: edge-triggered programs must bear edges without news. */
    const char *seen = events(poller, PATIENCE_MS);
    text("edge.fresh.bytes", "%s", strstr(seen, "IN") ? seen : events(poller, PATIENCE_MS));
    close(server);
    close(fd);
    close(listening);
    close(poller);
}

void transferring(void)
{
    by_flags();
    by_vectors();
    urgent();
    full();
    edges();
    registered_fresh();
}
