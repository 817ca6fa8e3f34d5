/* The states of a stream. */
#include "states.h"

static void fresh(struct subject *s) { s->fd = make_at(&s->of->own, SOCK_STREAM); }
static void bound(struct subject *s) { s->fd = make_bound_at(&s->of->own, SOCK_STREAM); }
static void listening(struct subject *s) { s->fd = listener_at(&s->of->own, 16); }

/* At any address: who connects is of the far end's family. */
static void one_waiting(struct subject *s)
{
    struct end any = s->of->own;
    any.loopback = any.any;
    s->fd = listener_at(&any, 16);
    s->far = make_at(&s->of->far, SOCK_STREAM);
    blocking(s->far, true);
    must(connect_at(&s->of->far, s->far, port_at(s->fd)) == 0, "a connection is made");
    blocking(s->far, false);
    settle(s->fd, POLLIN);
}

static void listener_shut(struct subject *s)
{
    listening(s);
    must(shutdown(s->fd, SHUT_RDWR) == 0, "a listener listens no more");
}

/* One who connects, and one who accepts. */
static void connected_at(const struct end *to, const struct end *from, int *connecting, int *accepted)
{
    int listening = listener_at(to, 16);
    *connecting = make_at(from, SOCK_STREAM);
    blocking(*connecting, true);
    must(connect_at(from, *connecting, port_at(listening)) == 0, "a connection is made");
    blocking(*connecting, false);
    *accepted = take(listening);
    close(listening);
}

static void client(struct subject *s) { connected_at(&s->of->far, &s->of->own, &s->fd, &s->far); }
static void server(struct subject *s) { connected_at(&s->of->own, &s->of->far, &s->far, &s->fd); }

/* Nobody answers where one waits to be accepted and no more may. */
static void attempt(struct subject *s)
{
    s->beside[0] = listener_at(&s->of->far, 0);
    int port = port_at(s->beside[0]);
    s->beside[1] = make_at(&s->of->far, SOCK_STREAM);
    must(connect_at(&s->of->far, s->beside[1], port) == -1 && errno == EINPROGRESS, "the first one connects");
    settle(s->beside[0], POLLIN);
    fresh(s);
    must(connect_at(&s->of->own, s->fd, port) == -1 && errno == EINPROGRESS, "a SYN is on its way");
}

/* It connected without waiting, and was not asked how that ended. */
static void connected_unasked(struct subject *s)
{
    s->beside[0] = listener_at(&s->of->far, 16);
    fresh(s);
    must(connect_at(&s->of->own, s->fd, port_at(s->beside[0])) == -1 && errno == EINPROGRESS, "it connects");
    s->far = take(s->beside[0]);
    settle(s->fd, POLLOUT);
}

static void refused_unasked(struct subject *s)
{
    fresh(s);
    must(connect_at(&s->of->own, s->fd, closed_port()) == -1 && errno == EINPROGRESS, "it connects");
    settle(s->fd, POLLIN | POLLOUT | POLLERR | POLLHUP);
}

static void refused(struct subject *s)
{
    fresh(s);
    blocking(s->fd, true);
    must(connect_at(&s->of->own, s->fd, closed_port()) == -1, "nobody listens there");
    blocking(s->fd, false);
}

static void with_data(struct subject *s)
{
    client(s);
    must(send(s->far, "hello", 5, 0) == 5, "five bytes are sent");
    settle(s->fd, POLLIN);
}

static void with_urgent(struct subject *s)
{
    client(s);
    must(send(s->far, "hello", 5, MSG_OOB) == 5, "the fifth byte is urgent");
    settle(s->fd, POLLIN | POLLPRI);
}

static void far_finished(struct subject *s)
{
    client(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLIN | POLLRDHUP);
}

static void with_data_and_end(struct subject *s)
{
    with_data(s);
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

static void with_data_and_reset(struct subject *s)
{
    with_data(s);
    reset(s->far);
    s->far = -1;
    settle(s->fd, POLLHUP);
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

/* The side that is in TIME-WAIT, though its descriptor lives. */
static void both_finished(struct subject *s)
{
    write_shut(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLHUP);
}

/* The other side. */
static void finished_second(struct subject *s)
{
    far_finished(s);
    must(shutdown(s->fd, SHUT_WR) == 0, "this end finishes too");
    settle(s->fd, POLLHUP);
    settle(s->far, POLLHUP);
}

/* At the port of a connection that is over, and in TIME-WAIT. */
static void over_time_wait(struct subject *s)
{
    int yes = 1;
    s->beside[0] = make_at(&s->of->own, SOCK_STREAM);
    must(setsockopt(s->beside[0], SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "SO_REUSEADDR is taken");
    must(bind_at(&s->of->own, s->beside[0], 0) == 0 && listen(s->beside[0], 1) == 0, "a listener with a port to reuse");
    int port = port_at(s->beside[0]), far = make_at(&s->of->far, SOCK_STREAM);
    blocking(far, true);
    must(connect_at(&s->of->far, far, port) == 0, "a connection is made");
    int accepted = take(s->beside[0]);
    close(s->beside[0]);
    s->beside[0] = -1;
    must(shutdown(accepted, SHUT_WR) == 0, "this end is the first to finish");
    settle(far, POLLRDHUP);
    close(far);
    settle(accepted, POLLHUP);
    close(accepted);
    fresh(s);
    must(setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "SO_REUSEADDR is taken");
    must(bind_at(&s->of->own, s->fd, port) == 0, "the port is reused");
}

static void dissolved(struct subject *s)
{
    client(s);
    must(dissolve(s->fd) == 0, "a connection is dissolved");
    take_error(s->fd);
}

const struct state STREAM_STATES[] = {
    { "fresh", fresh }, { "bound", bound }, { "listening", listening }, { "one-waiting", one_waiting },
    { "shut-listener", listener_shut }, { "client", client }, { "server", server }, { "connecting", attempt },
    { "connected-unasked", connected_unasked }, { "refused-unasked", refused_unasked }, { "refused", refused },
    { "with-data", with_data }, { "with-urgent", with_urgent }, { "far-finished", far_finished },
    { "with-data-and-end", with_data_and_end }, { "far-closed", far_closed }, { "far-reset", far_reset },
    { "far-reset-and-asked", far_reset_and_asked }, { "with-data-and-reset", with_data_and_reset },
    { "write-shut", write_shut }, { "read-shut", read_shut }, { "both-shut", both_shut },
    { "both-finished", both_finished }, { "finished-second", finished_second }, { "over-time-wait", over_time_wait },
    { "dissolved", dissolved },
};
const size_t STREAM_STATE_COUNT = sizeof STREAM_STATES / sizeof *STREAM_STATES;
