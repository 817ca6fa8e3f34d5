/* The first program's words, and those of this one. */
#include "../parity/report.c"

#include "parity2.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

void line2(const char *prefix, const char *name, long result)
{
    char whole[120];
    int saved = errno;
    snprintf(whole, sizeof whole, "%s.%s", prefix, name);
    errno = saved;
    line(whole, result);
}

void text2(const char *prefix, const char *name, const char *format, ...)
{
    char outcome[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome, sizeof outcome, format, arguments);
    va_end(arguments);
    printf("%s.%s: %s\n", prefix, name, outcome);
    fflush(stdout);
}

static void fresh(struct subject *s) { s->fd = make(SOCK_STREAM); }

static void bound(struct subject *s)
{
    s->fd = make(SOCK_STREAM);
    must(bind_to(s->fd, "127.0.0.1", 0) == 0, "a free port is bound");
}

static void listening(struct subject *s) { s->fd = listener(); }

static void refused(struct subject *s)
{
    s->fd = make(SOCK_STREAM);
    must(connect_to(s->fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    settle(s->fd, POLLHUP);
}

static void refused_and_asked(struct subject *s)
{
    refused(s);
    take_error(s->fd);
}

static void established(struct subject *s)
{
    struct pair both = connected();
    s->fd = both.server;
    s->far = both.client;
}

static void with_data(struct subject *s)
{
    established(s);
    must(send(s->far, "hello", 5, 0) == 5, "five bytes are sent");
    settle(s->fd, POLLIN);
}

static void far_finished(struct subject *s)
{
    with_data(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLRDHUP);
}

static void write_shut(struct subject *s)
{
    with_data(s);
    must(shutdown(s->fd, SHUT_WR) == 0, "this end finishes");
}

static void read_shut(struct subject *s)
{
    established(s);
    must(shutdown(s->fd, SHUT_RD) == 0, "this end reads no more");
}

static void far_reset(struct subject *s)
{
    established(s);
    reset(s->far);
    s->far = -1;
    settle(s->fd, POLLERR | POLLHUP);
}

static void far_closed(struct subject *s)
{
    with_data(s);
    close(s->far);
    s->far = -1;
    settle(s->fd, POLLRDHUP);
}

static void both_finished(struct subject *s)
{
    established(s);
    must(shutdown(s->far, SHUT_WR) == 0, "the far end finishes");
    settle(s->fd, POLLRDHUP);
    must(shutdown(s->fd, SHUT_WR) == 0, "and this one");
    settle(s->fd, POLLHUP);
}

const struct state STATES[] = {
    { "fresh", fresh }, { "bound", bound }, { "listening", listening }, { "refused", refused },
    { "refused-and-asked", refused_and_asked }, { "established", established }, { "with-data", with_data },
    { "far-finished", far_finished }, { "write-shut", write_shut }, { "read-shut", read_shut },
    { "far-reset", far_reset }, { "far-closed", far_closed }, { "both-finished", both_finished },
};
const size_t STATE_COUNT = sizeof STATES / sizeof *STATES;

void give_up(struct subject *s)
{
    int all[] = { s->fd, s->far, s->listening };
    for (size_t i = 0; i < 3; i++)
        if (all[i] >= 0)
            close(all[i]);
}

const char *epoll_words(unsigned events)
{
    static char out[120];
    static const struct { unsigned bit; const char *word; } names[] = {
        { EPOLLIN, "IN" }, { EPOLLPRI, "PRI" }, { EPOLLOUT, "OUT" }, { EPOLLERR, "ERR" },
        { EPOLLHUP, "HUP" }, { EPOLLRDHUP, "RDHUP" },
    };
    out[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (events & names[i].bit) {
            if (out[0])
                strcat(out, "|");
            strcat(out, names[i].word);
        }
    return out[0] ? out : "none";
}

static volatile sig_atomic_t interruptions;

static void interrupted(int number)
{
    (void)number;
    interruptions++;
}

void begin_interrupting(bool restart)
{
    struct sigaction action = { .sa_handler = interrupted, .sa_flags = restart ? SA_RESTART : 0 };
    must(sigaction(SIGALRM, &action, NULL) == 0, "a handler is set");
    interruptions = 0;
    struct itimerval often = { .it_interval = { 0, 20000 }, .it_value = { 0, 20000 } };
    must(setitimer(ITIMER_REAL, &often, NULL) == 0, "a timer is set");
}

int end_interrupting(void)
{
    struct itimerval never = { 0 };
    must(setitimer(ITIMER_REAL, &never, NULL) == 0, "a timer is stopped");
    signal(SIGALRM, SIG_DFL);
    return interruptions;
}

static bool reaches_groups(void)
{
    struct sockaddr_in6 group = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
    must(inet_pton(AF_INET6, "ff15::123", &group.sin6_addr) == 1, "an address of IPv6");
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), link = (int)if_nametoindex("eth0");
    must(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &link, sizeof link) == 0, "a link is named");
    bool is_reached = connect(fd, (struct sockaddr *)&group, sizeof group) == 0;
    close(fd);
    return is_reached;
}

void until_groups_are_reached(void)
{
    if (reaches_groups())
        return;
    struct sockaddr_nl routes = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV6_ROUTE };
    int news = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    must(news >= 0 && bind(news, (struct sockaddr *)&routes, sizeof routes) == 0, "routes are told of");
    char told[8192];
    while (!reaches_groups())
        must(recv(news, told, sizeof told, 0) > 0, "a route is told of");
    close(news);
}

unsigned free_pair(int type)
{
    for (unsigned port = 40000; port < 50000; port += 2) {
        int taken = 0;
        for (unsigned i = 0; i < 2; i++) {
            int fd = make_blocking(type);
            struct sockaddr_in any = address("0.0.0.0", (int)(port + i));
            taken += bind(fd, (struct sockaddr *)&any, sizeof any) != 0;
            close(fd);
        }
        if (taken == 0)
            return port;
    }
    must(false, "two ports are free");
    return 0;
}

struct tcp_info tcp_info_of(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO is answered");
    return info;
}
