/* The states of a datagram socket. */
#include "states.h"

static void fresh(struct subject *s) { s->fd = make_at(&s->of->own, SOCK_DGRAM); }
static void bound(struct subject *s) { s->fd = make_bound_at(&s->of->own, SOCK_DGRAM); }

static void connected_one(struct subject *s)
{
    s->far = make_bound_at(&s->of->far, SOCK_DGRAM);
    fresh(s);
    must(connect_at(&s->of->own, s->fd, port_at(s->far)) == 0, "a datagram socket is connected");
}

static void send_back(struct subject *s, const char *bytes, size_t count)
{
    must(connect_at(&s->of->far, s->far, port_at(s->fd)) == 0, "and back");
    must(send(s->far, bytes, count, 0) == (ssize_t)count, "a datagram is sent");
    settle(s->fd, POLLIN);
}

static void waiting(struct subject *s)
{
    connected_one(s);
    send_back(s, "hello", 5);
}

static void two_waiting(struct subject *s)
{
    waiting(s);
    must(send(s->far, "twice", 5, 0) == 5, "another one is sent");
    /* A third, whose arrival somebody else sees, comes after it. */
    int beside = make_bound_at(&s->of->own, SOCK_DGRAM);
    must(connect_at(&s->of->far, s->far, port_at(beside)) == 0, "it turns to another");
    must(send(s->far, "x", 1, 0) == 1, "a datagram is sent");
    settle(beside, POLLIN);
    close(beside);
    must(connect_at(&s->of->far, s->far, port_at(s->fd)) == 0, "and back to the first");
}

static void empty_waiting(struct subject *s)
{
    connected_one(s);
    send_back(s, "", 0);
}

static void unconnected_waiting(struct subject *s)
{
    s->far = make_at(&s->of->far, SOCK_DGRAM);
    bound(s);
    send_back(s, "hello", 5);
}

static void far_closed(struct subject *s)
{
    connected_one(s);
    close(s->far);
    s->far = -1;
}

/* An ICMP error came back, and was not asked for. */
static void refused(struct subject *s)
{
    far_closed(s);
    must(send(s->fd, "hello", 5, 0) == 5, "a datagram is sent");
    settle(s->fd, POLLERR);
}

static void refused_and_asked(struct subject *s)
{
    refused(s);
    take_error(s->fd);
}

static void dissolved(struct subject *s)
{
    connected_one(s);
    must(dissolve(s->fd) == 0, "an association is dissolved");
}

static void shut(struct subject *s, int how)
{
    connected_one(s);
    must(shutdown(s->fd, how) == 0, "an associated socket is shut down");
}

static void read_shut(struct subject *s) { shut(s, SHUT_RD); }
static void write_shut(struct subject *s) { shut(s, SHUT_WR); }
static void both_shut(struct subject *s) { shut(s, SHUT_RDWR); }

const struct state DATAGRAM_STATES[] = {
    { "datagram", fresh }, { "datagram-bound", bound }, { "datagram-connected", connected_one },
    { "datagram-waiting", waiting }, { "datagram-two-waiting", two_waiting },
    { "datagram-empty-waiting", empty_waiting }, { "datagram-unconnected-waiting", unconnected_waiting },
    { "datagram-far-closed", far_closed }, { "datagram-refused-unasked", refused },
    { "datagram-refused-and-asked", refused_and_asked }, { "datagram-dissolved", dissolved },
    { "datagram-read-shut", read_shut }, { "datagram-write-shut", write_shut }, { "datagram-both-shut", both_shut },
};
const size_t DATAGRAM_STATE_COUNT = sizeof DATAGRAM_STATES / sizeof *DATAGRAM_STATES;
