/* Every state of a socket × every call: each cell is made anew, so that no call sees what another left. */
#include "states.h"

#include <linux/sockios.h>

typedef void asking(const char *name, struct subject *);

/* The small words of states. */

struct place { struct sockaddr_storage at; socklen_t length; };

static struct place place(const struct end *at, int port)
{
    struct place out = { 0 };
    if (at->domain == AF_INET6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out.at;
        out.length = sizeof *six;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((unsigned short)port);
        must(inet_pton(AF_INET6, at->loopback, &six->sin6_addr) == 1, "an address is one");
    } else {
        struct sockaddr_in *four = (struct sockaddr_in *)&out.at;
        out.length = sizeof *four;
        *four = address(at->loopback, port);
    }
    return out;
}

int make_at(const struct end *at, int type)
{
    int fd = socket(at->domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(fd >= 0, "a socket is made");
    return fd;
}

int bind_at(const struct end *at, int fd, int port)
{
    struct place to = place(at, port);
    return bind(fd, (struct sockaddr *)&to.at, to.length);
}

int connect_at(const struct end *at, int fd, int port)
{
    struct place to = place(at, port);
    return connect(fd, (struct sockaddr *)&to.at, to.length);
}

int make_bound_at(const struct end *at, int type)
{
    int fd = make_at(at, type);
    must(bind_at(at, fd, 0) == 0, "a free port is bound");
    return fd;
}

int listener_at(const struct end *at, int backlog)
{
    int fd = make_bound_at(at, SOCK_STREAM);
    must(listen(fd, backlog) == 0, "a bound socket listens");
    return fd;
}

/* Both families have the port at the same place. */
int port_at(int fd)
{
    struct sockaddr_in6 at = { 0 };
    socklen_t length = sizeof at;
    must(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "a socket has a name");
    return ntohs(at.sin6_port);
}

int dissolve(int fd)
{
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    return connect(fd, &nobody, sizeof nobody);
}

/* The calls. */

static void ask_bind(const char *name, struct subject *s) { line(name, bind_at(&s->of->own, s->fd, 0)); }
static void ask_listen(const char *name, struct subject *s) { line(name, listen(s->fd, 4)); }
static void ask_shut_rd(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_RD)); }
static void ask_shut_wr(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_WR)); }
static void ask_shut_both(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_RDWR)); }
static void ask_shut_wrong(const char *name, struct subject *s) { line(name, shutdown(s->fd, 7)); }
static void ask_poll(const char *name, struct subject *s) { text(name, "%s", mask(s->fd)); }
static void ask_write(const char *name, struct subject *s) { line(name, write(s->fd, "abc", 3)); }
static void ask_dissolve(const char *name, struct subject *s) { line(name, dissolve(s->fd)); }

static void ask_send(const char *name, struct subject *s)
{
    line(name, send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static int type_of(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;
    must(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0, "a socket has a type");
    return type;
}

static void ask_send_twice(const char *name, struct subject *s)
{
    long first = send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* A far end that is gone answers the first with a reset. */
    if (first > 0 && s->far < 0)
        settle(s->fd, type_of(s->fd) == SOCK_STREAM ? POLLHUP : POLLERR);
    line(name, send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void ask_send_nothing(const char *name, struct subject *s)
{
    line(name, send(s->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void ask_send_urgent(const char *name, struct subject *s)
{
    line(name, send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_OOB));
}

/* To another one than the far end. */
static void ask_sendto(const char *name, struct subject *s)
{
    int other = make_bound_at(&s->of->own, SOCK_DGRAM);
    struct place to = place(&s->of->own, port_at(other));
    line(name, sendto(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to.at, to.length));
    close(other);
}

static void ask_recv(const char *name, struct subject *s)
{
    char into[16];
    line(name, recv(s->fd, into, sizeof into, MSG_DONTWAIT));
}

static void ask_recv_twice(const char *name, struct subject *s)
{
    char into[16];
    (void)!recv(s->fd, into, sizeof into, MSG_DONTWAIT);
    line(name, recv(s->fd, into, sizeof into, MSG_DONTWAIT));
}

static void ask_recv_nothing(const char *name, struct subject *s)
{
    char into[16];
    line(name, recv(s->fd, into, 0, MSG_DONTWAIT));
}

static void ask_recv_urgent(const char *name, struct subject *s)
{
    char into[16];
    line(name, recv(s->fd, into, sizeof into, MSG_DONTWAIT | MSG_OOB));
}

static void ask_recv_all(const char *name, struct subject *s)
{
    char into[16];
    line(name, recv(s->fd, into, sizeof into, MSG_DONTWAIT | MSG_WAITALL));
}

static void ask_read(const char *name, struct subject *s)
{
    char into[16];
    line(name, read(s->fd, into, sizeof into));
}

static void ask_peek(const char *name, struct subject *s)
{
    char into[16];
    line(name, recv(s->fd, into, sizeof into, MSG_DONTWAIT | MSG_PEEK));
}

static void taken(const char *name, int fd)
{
    if (fd < 0) {
        line(name, fd);
        return;
    }
    text(name, "one");
    close(fd);
}

static void ask_accept(const char *name, struct subject *s)
{
    taken(name, accept4(s->fd, NULL, NULL, SOCK_NONBLOCK));
}

static void ask_accept_address(const char *name, struct subject *s)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    taken(name, accept4(s->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK));
}

static void ask_connect(const char *name, struct subject *s)
{
    int listening = listener_at(&s->of->own, 16);
    line(name, connect_at(&s->of->own, s->fd, port_at(listening)));
    close(listening);
}

static void ask_connect_closed_port(const char *name, struct subject *s)
{
    line(name, connect_at(&s->of->own, s->fd, closed_port()));
}

/* A name, after the result of the call that told it. */
static void named(const char *name, long result, const struct sockaddr_storage *at, socklen_t length)
{
    if (result < 0) {
        line(name, result);
        return;
    }
    char ip[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *four = (const struct sockaddr_in *)at;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
    if (at->ss_family == AF_UNIX) {
        text(name, "%ld, of AF_UNIX", result);
        return;
    }
    if (at->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof ip);
    else
        inet_ntop(AF_INET, &four->sin_addr, ip, sizeof ip);
    text(name, "%ld, family %d %s port %s length %u", result, at->ss_family, ip, four->sin_port ? "some" : "0", length);
}

static void ask_name(const char *name, struct subject *s)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    int result = getsockname(s->fd, (struct sockaddr *)&at, &length);
    named(name, result, &at, length);
}

static void ask_peer_name(const char *name, struct subject *s)
{
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    int result = getpeername(s->fd, (struct sockaddr *)&at, &length);
    named(name, result, &at, length);
}

static void ask_recvfrom(const char *name, struct subject *s)
{
    char into[16];
    struct sockaddr_storage at = { 0 };
    socklen_t length = sizeof at;
    long result = recvfrom(s->fd, into, sizeof into, MSG_DONTWAIT, (struct sockaddr *)&at, &length);
    named(name, result, &at, length);
}

static void ask_option(const char *name, struct subject *s, int level, int option)
{
    int value = -77;
    socklen_t length = sizeof value;
    int result = getsockopt(s->fd, level, option, &value, &length);
    line(name, result ? result : value);
}

static void ask_error(const char *name, struct subject *s) { ask_option(name, s, SOL_SOCKET, SO_ERROR); }
static void ask_accepting(const char *name, struct subject *s) { ask_option(name, s, SOL_SOCKET, SO_ACCEPTCONN); }
static void ask_type(const char *name, struct subject *s) { ask_option(name, s, SOL_SOCKET, SO_TYPE); }
static void ask_domain(const char *name, struct subject *s) { ask_option(name, s, SOL_SOCKET, SO_DOMAIN); }
static void ask_protocol(const char *name, struct subject *s) { ask_option(name, s, SOL_SOCKET, SO_PROTOCOL); }
static void ask_nodelay(const char *name, struct subject *s) { ask_option(name, s, IPPROTO_TCP, TCP_NODELAY); }
static void ask_v6only(const char *name, struct subject *s) { ask_option(name, s, IPPROTO_IPV6, IPV6_V6ONLY); }

static void set_option(const char *name, struct subject *s, int level, int option, int value)
{
    line(name, setsockopt(s->fd, level, option, &value, sizeof value));
}

static void set_nodelay(const char *name, struct subject *s) { set_option(name, s, IPPROTO_TCP, TCP_NODELAY, 1); }
static void set_v6only(const char *name, struct subject *s) { set_option(name, s, IPPROTO_IPV6, IPV6_V6ONLY, 1); }
static void set_reuse(const char *name, struct subject *s) { set_option(name, s, SOL_SOCKET, SO_REUSEADDR, 1); }

static void ask_tcp_state(const char *name, struct subject *s)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    int result = getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    /* Whether the far end has acknowledged a FIN yet is a matter of moments. */
    bool finishing = info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2;
    if (result == 0 && finishing)
        text(name, "FIN-WAIT");
    else
        line(name, result ? result : info.tcpi_state);
}

static void ask_number(const char *name, struct subject *s, unsigned long request)
{
    int number = -77;
    int result = ioctl(s->fd, request, &number);
    line(name, result ? result : number);
}

static void ask_unread(const char *name, struct subject *s) { ask_number(name, s, FIONREAD); }
static void ask_at_mark(const char *name, struct subject *s) { ask_number(name, s, SIOCATMARK); }

static void ask_unsent(const char *name, struct subject *s)
{
    int count = -77;
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    /* What is over leaves some number in Linux's counter: nothing that a program could rely on. */
    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE)
        return;
    /* What is in flight for a moment on another stack is nobody's difference. */
    for (int tries = 0; tries < PATIENCE_MS; tries++) {
        int result = ioctl(s->fd, TIOCOUTQ, &count);
        if (result != 0 || count == 0) {
            line(name, result ? result : count);
            return;
        }
        poll(NULL, 0, 1);
    }
    line(name, count);
}

static void ask_flags(const char *name, struct subject *s)
{
    int flags = fcntl(s->fd, F_GETFL);
    if (flags == -1)
        line(name, flags);
    else
        text(name, "%s%s", (flags & O_ACCMODE) == O_RDWR ? "both" : "one", flags & O_NONBLOCK ? " non-blocking" : "");
}

static void ask_epoll(const char *name, struct subject *s)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI };
    int epoll = epoll_create1(EPOLL_CLOEXEC), result = epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
    if (result) {
        line(name, result);
    } else {
        int count = epoll_wait(epoll, &event, 1, 0);
        text(name, "%d, %x", count, count > 0 ? event.events : 0);
    }
    close(epoll);
}

struct call { const char *name; asking *ask; };

static const struct call CALLS[] = {
    { "bind", ask_bind }, { "listen", ask_listen }, { "accept", ask_accept },
    { "accept-with-address", ask_accept_address }, { "connect", ask_connect },
    { "connect-closed-port", ask_connect_closed_port }, { "dissolve", ask_dissolve }, { "getsockname", ask_name },
    { "getpeername", ask_peer_name }, { "shutdown-read", ask_shut_rd }, { "shutdown-write", ask_shut_wr },
    { "shutdown-both", ask_shut_both }, { "shutdown-wrong", ask_shut_wrong }, { "poll", ask_poll },
    { "epoll", ask_epoll }, { "send", ask_send }, { "send-twice", ask_send_twice },
    { "send-nothing", ask_send_nothing }, { "send-urgent", ask_send_urgent }, { "sendto", ask_sendto },
    { "write", ask_write }, { "recv", ask_recv }, { "recv-twice", ask_recv_twice },
    { "recv-nothing", ask_recv_nothing }, { "recv-urgent", ask_recv_urgent }, { "recv-all", ask_recv_all },
    { "recvfrom", ask_recvfrom }, { "peek", ask_peek }, { "read", ask_read }, { "so-error", ask_error },
    { "so-acceptconn", ask_accepting }, { "so-type", ask_type }, { "so-domain", ask_domain },
    { "so-protocol", ask_protocol }, { "tcp-nodelay", ask_nodelay }, { "set-tcp-nodelay", set_nodelay },
    { "v6only", ask_v6only }, { "set-v6only", set_v6only }, { "set-reuseaddr", set_reuse },
    { "tcp-state", ask_tcp_state }, { "unread", ask_unread }, { "at-mark", ask_at_mark }, { "unsent", ask_unsent },
    { "flags", ask_flags },
};

/* What is asked is of the one family, and speaks to the other. */
static const struct family FAMILIES[] = {
    { "", { AF_INET, "127.0.0.1", "0.0.0.0" }, { AF_INET, "127.0.0.1", "0.0.0.0" } },
    { "6", { AF_INET6, "::1", "::" }, { AF_INET6, "::1", "::" } },
    { "-dual", { AF_INET6, "::ffff:127.0.0.1", "::" }, { AF_INET, "127.0.0.1", "0.0.0.0" } },
};

/* No row lasts longer, in seconds: what has not returned by then never will. */
enum { ROW_S = 250 };

static void row(const struct family *of, const struct state *state)
{
    /* The alarm ends the program, not the test, when a call never returns. */
    alarm(ROW_S);
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        struct subject s = { .of = of, .fd = -1, .far = -1, .beside = { -1, -1 } };
        char name[80];
        snprintf(name, sizeof name, "%s%s.%s", state->name, of->suffix, CALLS[i].name);
        state->set(&s);
        CALLS[i].ask(name, &s);
        int all[] = { s.fd, s.far, s.beside[0], s.beside[1] };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            if (all[j] >= 0)
                close(all[j]);
    }
    /* Whoever waits for the program sees that it goes on. */
    fflush(stdout);
}

static void rows(const struct state *states, size_t count)
{
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        for (size_t j = 0; j < count; j++)
            row(&FAMILIES[i], &states[j]);
}

void matrix(void)
{
    rows(STREAM_STATES, STREAM_STATE_COUNT);
    rows(DATAGRAM_STATES, DATAGRAM_STATE_COUNT);
    /* What they are asked says nothing of families. */
    for (size_t i = 0; i < OTHERS_STATE_COUNT; i++)
        row(&FAMILIES[0], &OTHERS_STATES[i]);
}
