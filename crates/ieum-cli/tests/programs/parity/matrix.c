/* Every state of a socket × every call: each cell is made anew, so that no call sees what another left. */
#include "parity.h"

/* A socket in some state, the far end if it has one, and a listener to connect to. */
struct subject { int fd, far, listening; };

typedef void setting(struct subject *);
typedef void asking(const char *name, struct subject *);

/* The states. */

static void fresh(struct subject *s) { s->fd = make(SOCK_STREAM); }

static void bound(struct subject *s)
{
    fresh(s);
    must(bind_to(s->fd, "127.0.0.1", 0) == 0, "a free port is bound");
}

static void listening(struct subject *s) { s->fd = listener(); }

static void client(struct subject *s)
{
    struct pair both = connected();
    s->fd = both.client;
    s->far = both.server;
}

static void server(struct subject *s)
{
    struct pair both = connected();
    s->fd = both.server;
    s->far = both.client;
}

static void with_data(struct subject *s)
{
    client(s);
    must(send(s->far, "hello", 5, 0) == 5, "five bytes are sent");
    settle(s->fd, POLLIN);
}

static void refused(struct subject *s)
{
    s->fd = make_blocking(SOCK_STREAM);
    must(connect_to(s->fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    blocking(s->fd, false);
}

static void far_finished(struct subject *s)
{
    client(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLIN | POLLRDHUP);
}

static void far_closed(struct subject *s)
{
    client(s);
    close(s->far);
    s->far = -1;
    settle(s->fd, POLLIN | POLLRDHUP);
}

static void far_reset(struct subject *s)
{
    client(s);
    reset(s->far);
    s->far = -1;
    settle(s->fd, POLLHUP);
}

static void far_reset_and_asked(struct subject *s)
{
    far_reset(s);
    take_error(s->fd);
}

static void write_shut(struct subject *s)
{
    client(s);
    must(shutdown(s->fd, SHUT_WR) == 0, "this end finishes");
    settle(s->far, POLLRDHUP);
}

static void read_shut(struct subject *s)
{
    client(s);
    must(shutdown(s->fd, SHUT_RD) == 0, "this end reads no more");
}

static void both_shut(struct subject *s)
{
    client(s);
    must(shutdown(s->fd, SHUT_RDWR) == 0, "this end is done");
    settle(s->fd, POLLHUP);
    settle(s->far, POLLRDHUP);
}

static void both_finished(struct subject *s)
{
    write_shut(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLHUP);
}

static void datagram_fresh(struct subject *s) { s->fd = make(SOCK_DGRAM); }

static void datagram_bound(struct subject *s)
{
    datagram_fresh(s);
    must(bind_to(s->fd, "127.0.0.1", 0) == 0, "a free port is bound");
}

static void datagram_connected(struct subject *s)
{
    s->far = make(SOCK_DGRAM);
    must(bind_to(s->far, "127.0.0.1", 0) == 0, "a free port is bound");
    datagram_fresh(s);
    must(connect_to(s->fd, "127.0.0.1", port_of(s->far)) == 0, "a datagram socket is connected");
}

static void datagram_waiting(struct subject *s)
{
    datagram_connected(s);
    must(connect_to(s->far, "127.0.0.1", port_of(s->fd)) == 0, "and back");
    must(send(s->far, "hello", 5, 0) == 5, "a datagram is sent");
    settle(s->fd, POLLIN);
}

/* The calls. */

static void ask_bind(const char *name, struct subject *s) { line(name, bind_to(s->fd, "127.0.0.1", 0)); }
static void ask_listen(const char *name, struct subject *s) { line(name, listen(s->fd, 4)); }
static void ask_shut_rd(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_RD)); }
static void ask_shut_wr(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_WR)); }
static void ask_shut_both(const char *name, struct subject *s) { line(name, shutdown(s->fd, SHUT_RDWR)); }
static void ask_shut_wrong(const char *name, struct subject *s) { line(name, shutdown(s->fd, 7)); }
static void ask_poll(const char *name, struct subject *s) { text(name, "%s", mask(s->fd)); }
static void ask_write(const char *name, struct subject *s) { line(name, write(s->fd, "abc", 3)); }

static void ask_send(const char *name, struct subject *s)
{
    line(name, send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void ask_send_twice(const char *name, struct subject *s)
{
    long first = send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* A far end that is gone answers the first with a reset. */
    if (first > 0 && s->far < 0)
        settle(s->fd, POLLERR | POLLHUP);
    line(name, send(s->fd, "abc", 3, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void ask_send_nothing(const char *name, struct subject *s)
{
    line(name, send(s->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT));
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

static void ask_accept(const char *name, struct subject *s)
{
    line(name, accept4(s->fd, NULL, NULL, SOCK_NONBLOCK));
}

static void ask_accept_address(const char *name, struct subject *s)
{
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    line(name, accept4(s->fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK));
}

static void ask_connect(const char *name, struct subject *s)
{
    line(name, connect_to(s->fd, "127.0.0.1", port_of(s->listening)));
}

static void ask_connect_own_port(const char *name, struct subject *s)
{
    line(name, connect_to(s->fd, "127.0.0.1", closed_port()));
}

static void named(const char *name, int result, const struct sockaddr_in *at, socklen_t length)
{
    if (result != 0) {
        line(name, result);
        return;
    }
    char ip[INET_ADDRSTRLEN] = "?";
    inet_ntop(AF_INET, &at->sin_addr, ip, sizeof ip);
    text(name, "family %d %s port %s length %u", at->sin_family, ip, at->sin_port ? "some" : "0", length);
}

static void ask_name(const char *name, struct subject *s)
{
    struct sockaddr_in at = { 0 };
    socklen_t length = sizeof at;
    named(name, getsockname(s->fd, (struct sockaddr *)&at, &length), &at, length);
}

static void ask_peer_name(const char *name, struct subject *s)
{
    struct sockaddr_in at = { 0 };
    socklen_t length = sizeof at;
    named(name, getpeername(s->fd, (struct sockaddr *)&at, &length), &at, length);
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

static void ask_unread(const char *name, struct subject *s)
{
    int count = -77;
    int result = ioctl(s->fd, FIONREAD, &count);
    line(name, result ? result : count);
}

static void ask_unsent(const char *name, struct subject *s)
{
    int count = -77;
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    /* A refused connect leaves some number in Linux's counter: nothing that a program could rely on. */
    if (s->far < 0 && getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE)
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

struct state { const char *name; setting *set; };
struct call { const char *name; asking *ask; };

static const struct state STREAM_STATES[] = {
    { "fresh", fresh }, { "bound", bound }, { "listening", listening }, { "client", client },
    { "server", server }, { "with-data", with_data }, { "refused", refused }, { "far-finished", far_finished },
    { "far-closed", far_closed }, { "far-reset", far_reset }, { "far-reset-and-asked", far_reset_and_asked },
    { "write-shut", write_shut }, { "read-shut", read_shut }, { "both-shut", both_shut },
    { "both-finished", both_finished },
};

static const struct state DATAGRAM_STATES[] = {
    { "datagram", datagram_fresh }, { "datagram-bound", datagram_bound },
    { "datagram-connected", datagram_connected }, { "datagram-waiting", datagram_waiting },
};

static const struct call CALLS[] = {
    { "bind", ask_bind }, { "listen", ask_listen }, { "accept", ask_accept },
    { "accept-with-address", ask_accept_address }, { "connect", ask_connect }, { "getsockname", ask_name },
    { "getpeername", ask_peer_name }, { "shutdown-read", ask_shut_rd }, { "shutdown-write", ask_shut_wr },
    { "shutdown-both", ask_shut_both }, { "shutdown-wrong", ask_shut_wrong }, { "poll", ask_poll },
    { "send", ask_send }, { "send-twice", ask_send_twice }, { "send-nothing", ask_send_nothing },
    { "write", ask_write }, { "recv", ask_recv }, { "recv-twice", ask_recv_twice }, { "peek", ask_peek },
    { "read", ask_read }, { "so-error", ask_error }, { "so-acceptconn", ask_accepting }, { "so-type", ask_type },
    { "so-domain", ask_domain }, { "so-protocol", ask_protocol }, { "tcp-nodelay", ask_nodelay },
    { "tcp-state", ask_tcp_state }, { "unread", ask_unread }, { "unsent", ask_unsent },
    { "connect-closed-port", ask_connect_own_port },
};

static void matrix(const struct state *states, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof CALLS / sizeof *CALLS; j++) {
            struct subject s = { .fd = -1, .far = -1, .listening = listener() };
            char name[80];
            snprintf(name, sizeof name, "%s.%s", states[i].name, CALLS[j].name);
            states[i].set(&s);
            CALLS[j].ask(name, &s);
            close(s.fd);
            if (s.far >= 0)
                close(s.far);
            close(s.listening);
        }
}

void stream_matrix(void) { matrix(STREAM_STATES, sizeof STREAM_STATES / sizeof *STREAM_STATES); }
void datagram_matrix(void) { matrix(DATAGRAM_STATES, sizeof DATAGRAM_STATES / sizeof *DATAGRAM_STATES); }
