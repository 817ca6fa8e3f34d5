/* Sockets that become like new: after shutdown of a listener, a refused connect, connect(AF_UNSPEC), and shutdown
 * without a connection; with copies of the descriptor, with epoll, and used once more. */
#include "parity2.h"

static int unspecified(int fd)
{
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    return connect(fd, &none, sizeof none);
}

/* What a set of epoll says of its one socket. */
static const char *told(int set)
{
    struct epoll_event event;
    int count = epoll_wait(set, &event, 1, 300);
    return count == 1 ? epoll_words(event.events) : "nothing";
}

static int set_of(int fd, unsigned events)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = events, .data.fd = fd };
    must(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "a socket is watched");
    return set;
}

static void reach(const char *prefix, int listening)
{
    int client = make_blocking(SOCK_STREAM);
    line2(prefix, "reach", connect_to(client, "127.0.0.1", port_of(listening)));
    settle(listening, POLLIN);
    int server = accept(listening, NULL, NULL);
    text2(prefix, "reach.accepted", "%s", server >= 0 ? "yes" : errno_name(errno));
    line2(prefix, "reach.write", write(client, "abc", 3));
    char into[8];
    blocking(server, true);
    line2(prefix, "reach.read", read(server, into, sizeof into));
    close(client);
    close(server);
}

static void listener_shut(int how, const char *prefix)
{
    int listening = listener(), copy = dup(listening), set = set_of(listening, EPOLLIN);
    line2(prefix, "shutdown", shutdown(listening, how));
    text2(prefix, "poll", "%s", mask(listening));
    text2(prefix, "copy.poll", "%s", mask(copy));
    text2(prefix, "epoll", "%s", told(set));
    line2(prefix, "accept", accept(listening, NULL, NULL));
    line2(prefix, "shutdown-again", shutdown(copy, SHUT_WR));
    line2(prefix, "listen", listen(copy, 4));
    text2(prefix, "listen.poll", "%s", mask(listening));
    reach(prefix, listening);
    struct epoll_event event = { .events = EPOLLIN };
    line2(prefix, "epoll.modify", epoll_ctl(set, EPOLL_CTL_MOD, listening, &event));
    line2(prefix, "epoll.delete", epoll_ctl(set, EPOLL_CTL_DEL, listening, NULL));
    close(set);
    close(copy);
    close(listening);
}

static void refused_and_again(void)
{
    int holder = make(SOCK_STREAM);
    must(bind_to(holder, "127.0.0.1", 0) == 0, "a port is held");
    int port = port_of(holder), fd = make(SOCK_STREAM), set = set_of(fd, EPOLLOUT | EPOLLET);
    (void)told(set);
    line("refused-again.connect", connect_to(fd, "127.0.0.1", port));
    text("refused-again.poll", "%s", settle(fd, POLLERR));
    text("refused-again.error", "%s", errno_name(take_error(fd)));
    line("refused-again.second", connect_to(fd, "127.0.0.1", port));
    text("refused-again.second.poll", "%s", mask(fd));
    must(listen(holder, 4) == 0, "now somebody listens");
    line("refused-again.third", connect_to(fd, "127.0.0.1", port));
    text("refused-again.third.poll", "%s", settle(fd, POLLOUT));
    text("refused-again.third.epoll", "%s", told(set));
    line("refused-again.third.error", take_error(fd));
    line("refused-again.write", write(fd, "abc", 3));
    close(set);
    close(fd);
    close(holder);
}

/* Who is told by signals, and by which, remains. */
static void owned_and_again(void)
{
    if (!NUMBERS_ARE_FILES)
        return;
    int holder = make(SOCK_STREAM), fd = make(SOCK_STREAM);
    must(bind_to(holder, "127.0.0.1", 0) == 0, "a port is held");
    must(signal(SIGUSR1, SIG_IGN) != SIG_ERR, "a signal is ignored");
    must(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, SIGUSR1) == 0, "somebody is told");
    must(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0, "by signals");
    must(connect_to(fd, "127.0.0.1", port_of(holder)) < 0, "nobody listens");
    settle(fd, POLLERR);
    must(take_error(fd) != 0, "it was refused");
    must(listen(holder, 4) == 0, "now somebody listens");
    line("owned-again.told", connect_to(fd, "127.0.0.1", port_of(holder)));
    line("owned-again.connect", connect_to(fd, "127.0.0.1", port_of(holder)));
    text("owned-again.poll", "%s", settle(fd, POLLOUT));
    text("owned-again.owner", "%s", fcntl(fd, F_GETOWN) == getpid() ? "we" : "another");
    text("owned-again.signal", "%s", fcntl(fd, F_GETSIG) == SIGUSR1 ? "ours" : "another");
    text("owned-again.flags", "%s", fcntl(fd, F_GETFL) & O_ASYNC ? "asynchronous" : "not");
    close(fd);
    close(holder);
}

static void bound_when_over(void)
{
    struct pair both = connected();
    reset(both.server);
    settle(both.client, POLLHUP);
    line("bound-when-over.bind", bind_to(both.client, "127.0.0.1", 0));
    line("bound-when-over.again", bind_to(both.client, "127.0.0.1", 0));
    line("bound-when-over.connect", connect_to(both.client, "127.0.0.1", 1));
    line("bound-when-over.listen", listen(both.client, 1));
    line("bound-when-over.unspec", unspecified(both.client));
    line("bound-when-over.listen-then", listen(both.client, 1));
    reach("bound-when-over", both.client);
    close(both.client);
}

/* What getsockname says, of the port only whether it is `own`. */
static const char *address_of(int fd, int own)
{
    static char out[60];
    char ip[INET_ADDRSTRLEN];
    struct sockaddr_in at = { 0 };
    socklen_t length = sizeof at;
    must(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "a socket has a name");
    inet_ntop(AF_INET, &at.sin_addr, ip, sizeof ip);
    snprintf(out, sizeof out, "%s, %s", ip, ntohs(at.sin_port) == own ? "its own port" : "another port");
    return out;
}

/* A port that the program named stays with it; one that it was given goes when the connection is over. */
static void bound_before(bool named, bool dissolves)
{
    char prefix[60];
    snprintf(prefix, sizeof prefix, "bound-%s-%s", named ? "named" : "given", dissolves ? "dissolved" : "refused");
    int fd = make(SOCK_STREAM), listening = listener();
    must(bind_to(fd, "127.0.0.1", named ? closed_port() : 0) == 0, "a port is bound");
    line2(prefix, "bind-bound", bind_to(fd, "127.0.0.1", 0));
    if (dissolves) {
        must(connect_to(fd, "127.0.0.1", port_of(listening)) == -1 && errno == EINPROGRESS, "a connect begins");
        settle(fd, POLLOUT);
        line2(prefix, "unspec", unspecified(fd));
    } else {
        must(connect_to(fd, "127.0.0.1", closed_port()) == -1 && errno == EINPROGRESS, "a connect begins");
        settle(fd, POLLERR);
    }
    int own = port_of(fd);
    line2(prefix, "bind-nowhere", bind_to(fd, "192.0.2.1", 0));
    text2(prefix, "bind-nowhere.name", "%s", address_of(fd, own));
    line2(prefix, "bind-taken", bind_to(fd, "127.0.0.1", port_of(listening)));
    text2(prefix, "bind-taken.name", "%s", address_of(fd, own));
    /* A port that was given up is in nobody's way. */
    line2(prefix, "bind", bind_to(fd, "127.0.0.1", own));
    text2(prefix, "bind.name", "%s", address_of(fd, own));
    line2(prefix, "bind-again", bind_to(fd, "127.0.0.1", 0));
    line2(prefix, "unspec-then", unspecified(fd));
    line2(prefix, "bind-then", bind_to(fd, "127.0.0.1", 0));
    /* One that was given when a connection was over goes with the next. */
    must(connect_to(fd, "127.0.0.1", closed_port()) == -1 && errno == EINPROGRESS, "a connect begins");
    settle(fd, POLLERR);
    line2(prefix, "bind-over", bind_to(fd, "127.0.0.1", 0));
    line2(prefix, "connect-over", connect_to(fd, "127.0.0.1", closed_port()));
    line2(prefix, "connect-again", connect_to(fd, "127.0.0.1", closed_port()));
    settle(fd, POLLERR);
    line2(prefix, "bind-next", bind_to(fd, "127.0.0.1", 0));
    line2(prefix, "bind-last", bind_to(fd, "127.0.0.1", 0));
    close(fd);
    close(listening);
}

static void disconnected(void)
{
    struct pair both = connected();
    int set = set_of(both.client, EPOLLIN);
    must(bind_to(both.client, "127.0.0.1", 0) == -1, "a connected socket is bound");
    line("disconnected.unspec", unspecified(both.client));
    text("disconnected.error", "%s", errno_name(take_error(both.client)));
    text("disconnected.poll", "%s", mask(both.client));
    text("disconnected.far", "%s", settle(both.server, POLLERR | POLLHUP));
    line("disconnected.listen", listen(both.client, 4));
    reach("disconnected", both.client);
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(both.client)) == 0, "somebody connects");
    text("disconnected.epoll", "%s", told(set));
    close(client);
    close(set);
    close(both.client);
    close(both.server);
}

static void shut_before(int how, const char *prefix)
{
    char into[8];
    int fd = make(SOCK_STREAM);
    line2(prefix, "shutdown", shutdown(fd, how));
    text2(prefix, "poll", "%s", mask(fd));
    if (how != SHUT_WR) {
        line2(prefix, "read", read(fd, into, sizeof into));
        line2(prefix, "write", send(fd, "abc", 3, MSG_NOSIGNAL));
    }
    line2(prefix, "listen", listen(fd, 4));
    text2(prefix, "listen.poll", "%s", mask(fd));
    close(fd);

    fd = make_blocking(SOCK_STREAM);
    shutdown(fd, how);
    int listening = listener();
    line2(prefix, "connect", connect_to(fd, "127.0.0.1", port_of(listening)));
    text2(prefix, "connect.poll", "%s", mask(fd));
    if (how != SHUT_RD)
        line2(prefix, "connect.write", send(fd, "abc", 3, MSG_NOSIGNAL));
    close(fd);
    close(listening);
}

/* A listen that is refused leaves what was shut as it was. */
static void shut_and_listens(void)
{
    int yes = 1, before = make(SOCK_STREAM), fd = make(SOCK_STREAM);
    must(setsockopt(before, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "SO_REUSEADDR is taken");
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "SO_REUSEADDR is taken");
    must(bind_to(before, "127.0.0.1", 0) == 0 && bind_to(fd, "127.0.0.1", port_of(before)) == 0, "a port is shared");
    must(listen(before, 1) == 0, "one of two listens");
    line("shut-and-listens.shutdown", shutdown(fd, SHUT_RDWR));
    line("shut-and-listens.refused", listen(fd, 1));
    text("shut-and-listens.refused.poll", "%s", mask(fd));
    close(before);
    line("shut-and-listens.listen", listen(fd, 1));
    text("shut-and-listens.poll", "%s", mask(fd));
    int client = make_blocking(SOCK_STREAM);
    line("shut-and-listens.connect", connect_to(client, "127.0.0.1", port_of(fd)));
    text("shut-and-listens.waiting", "%s", settle(fd, POLLIN));
    int taken = accept(fd, NULL, NULL);
    line("shut-and-listens.accept", taken < 0 ? -1 : 0);
    close(taken);
    close(client);
    close(fd);
}

static void asked_for_what_is_not_there(void)
{
    char into[8];
    struct pair both = connected();
    must(write(both.server, "abc", 3) == 3, "bytes are written");
    settle(both.client, POLLIN);
    line("error-queue.recv", recv(both.client, into, sizeof into, MSG_ERRQUEUE));
    struct iovec piece = { into, sizeof into };
    struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
    line("error-queue.recvmsg", recvmsg(both.client, &header, MSG_ERRQUEUE));
    line("error-queue.urgent", recv(both.client, into, sizeof into, MSG_OOB));
    line("error-queue.recv-then", recv(both.client, into, sizeof into, 0));
    close(both.client);
    close(both.server);

    int fd = make(SOCK_DGRAM), value = 0;
    line("datagram-unconnected.shutdown", shutdown(fd, SHUT_RD));
    text("datagram-unconnected.poll", "%s", mask(fd));
    line("datagram-unconnected.at-mark", ioctl(fd, SIOCATMARK, &value));
    line("datagram-unconnected.urgent", recv(fd, into, sizeof into, MSG_OOB | MSG_DONTWAIT));
    close(fd);
    if (!POINTERS_ARE_CHECKED)
        return;
    int listening = listener(), client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "somebody connects");
    settle(listening, POLLIN);
    socklen_t length = sizeof(struct sockaddr_in);
    line("accept-fault.accept", accept(listening, (struct sockaddr *)8, &length));
    line("accept-fault.then", accept(listening, NULL, NULL));
    close(client);
    close(listening);
}

void renewed(void)
{
    listener_shut(SHUT_RD, "listener-shut-read");
    listener_shut(SHUT_RDWR, "listener-shut-both");
    refused_and_again();
    owned_and_again();
    bound_when_over();
    for (int kind = 0; kind < 4; kind++)
        bound_before(kind & 1, kind & 2);
    disconnected();
    shut_before(SHUT_RD, "shut-before-read");
    shut_before(SHUT_WR, "shut-before-write");
    shut_before(SHUT_RDWR, "shut-before-both");
    shut_and_listens();
    asked_for_what_is_not_there();
}
