/* TCP_INFO from the beginning of a connection to after its end: every field that does not depend on times, on how segments
 * met each other, or on how large the buffers are. */
#include "parity2.h"

/* Where a field lies in `struct tcp_info` of linux/tcp.h, which cannot stand beside the C library's shorter one. */
struct field { const char *name; size_t at, bytes; };

static const struct field FIELDS[] = {
    { "state", 0, 1 }, { "ca-state", 1, 1 }, { "retransmits", 2, 1 }, { "probes", 3, 1 }, { "backoff", 4, 1 },
    { "options", 5, 1 }, { "unacked", 24, 4 }, { "sacked", 28, 4 }, { "lost", 32, 4 }, { "retrans", 36, 4 },
    { "fackets", 40, 4 }, { "pmtu", 60, 4 }, { "snd-ssthresh", 76, 4 }, { "advmss", 84, 4 }, { "reordering", 88, 4 },
    { "total-retrans", 100, 4 }, { "max-pacing-rate", 112, 8 }, { "bytes-acked", 120, 8 }, { "bytes-received", 128, 8 },
    { "notsent", 144, 4 }, { "data-segs-in", 152, 4 }, { "data-segs-out", 156, 4 }, { "rwnd-limited", 176, 8 },
    { "sndbuf-limited", 184, 8 }, { "delivered", 192, 4 }, { "delivered-ce", 196, 4 }, { "bytes-sent", 200, 8 },
    { "bytes-retrans", 208, 8 }, { "dsack-dups", 216, 4 }, { "reord-seen", 220, 4 }, { "rcv-ooopack", 224, 4 },
};

enum { INFO_BYTES = 240, BLOCK_BYTES = 1000 };

static unsigned long long field_of(const unsigned char *info, size_t at, size_t bytes)
{
    unsigned long long value = 0;
    memcpy(&value, info + at, bytes);
    return value;
}

static void ask(int fd, unsigned char *info)
{
    socklen_t length = INFO_BYTES;
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0 && length == INFO_BYTES, "TCP_INFO is answered whole");
}

/* All that was sent is acknowledged: a delayed acknowledgement is no difference. */
static void await_acknowledged(int fd)
{
    unsigned char info[INFO_BYTES];
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        ask(fd, info);
        if (field_of(info, 24, 4) == 0)
            return;
        poll(NULL, 0, 1);
    }
}

static void tell_now(const char *which, const char *when, int fd)
{
    unsigned char info[INFO_BYTES];
    char name[64];
    ask(fd, info);
    snprintf(name, sizeof name, "facts-%s.%s", which, when);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        text2(name, FIELDS[i].name, "%llu", field_of(info, FIELDS[i].at, FIELDS[i].bytes));
    /* 0 would be: not measured. */
    text2(name, "rtt", "%s", field_of(info, 68, 4) ? "some" : "none");
    text2(name, "min-rtt", "%s", (unsigned)(field_of(info, 148, 4) + 1) > 1 ? "some" : "none");
    text2(name, "data-was-sent", "%s", field_of(info, 44, 4) < 60000 ? "lately" : "never");
    text2(name, "data-came", "%s", field_of(info, 52, 4) < 60000 ? "lately" : "never");
}

static void tell(const char *which, const char *when, int fd)
{
    await_acknowledged(fd);
    tell_now(which, when, fd);
}

static void tell_both(const char *when, struct pair both)
{
    tell("client", when, both.client);
    tell("server", when, both.server);
}

/* Each way in turn, one segment at a time. The last is acknowledged at once: held back by the machine, an acknowledgement that waits may
 * be later than a tail loss probe. */
static void exchange(struct pair both, int rounds)
{
    char block[BLOCK_BYTES] = { 0 };
    for (int i = 0; i < rounds; i++) {
        must(send(both.client, block, BLOCK_BYTES, 0) == BLOCK_BYTES, "bytes are sent");
        settle(both.server, POLLIN);
        must(recv(both.server, block, BLOCK_BYTES, 0) == BLOCK_BYTES, "bytes come");
        must(send(both.server, block, 100, 0) == 100, "bytes are sent");
        settle(both.client, POLLIN);
        must(recv(both.client, block, BLOCK_BYTES, 0) == 100, "bytes come");
    }
    int yes = 1;
    must(setsockopt(both.client, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes) == 0, "an acknowledgement is sent");
}

void facts(void)
{
    int fresh = make(SOCK_STREAM);
    tell("fresh", "socket", fresh);
    must(bind_to(fresh, "127.0.0.1", 0) == 0, "a socket is bound");
    tell("fresh", "bound", fresh);
    close(fresh);

    struct pair both = connected();
    char into[16];
    tell_both("new", both);
    exchange(both, 3);
    tell_both("used", both);
    shutdown(both.client, SHUT_WR);
    settle(both.server, POLLRDHUP);
    must(recv(both.server, into, sizeof into, 0) == 0, "the end comes");
    tell_both("half-closed", both);
    shutdown(both.server, SHUT_WR);
    settle(both.client, POLLHUP);
    settle(both.server, POLLHUP);
    tell_both("over", both);
    close(both.client);
    close(both.server);

    both = connected();
    exchange(both, 3);
    await_acknowledged(both.server);
    await_acknowledged(both.client);
    reset(both.client);
    settle(both.server, POLLHUP);
    tell("server", "reset", both.server);
    close(both.server);

    /* Its SYN is not answered, since the queue is full. */
    int listening = make(SOCK_STREAM), waiting = make_blocking(SOCK_STREAM), connecting = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 0) == 0, "a socket listens");
    must(connect_to(waiting, "127.0.0.1", port_of(listening)) == 0, "one waits in the queue");
    must(connect_to(connecting, "127.0.0.1", port_of(listening)) == -1 && errno == EINPROGRESS, "a connect begins");
    tell_now("client", "connecting", connecting);
    close(connecting);
    close(waiting);
    close(listening);

    int refused = make(SOCK_STREAM);
    connect_to(refused, "127.0.0.1", closed_port());
    settle(refused, POLLHUP);
    tell("client", "refused", refused);
    close(refused);
}
