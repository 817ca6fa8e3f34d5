/* Calls with addresses and messages, in every state of a stream. */
#include "parity2.h"

static void ask_recvfrom(const char *prefix, int fd)
{
    char into[16];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    memset(&from, 0x55, sizeof from);
    long got = recvfrom(fd, into, sizeof into, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    line2(prefix, "recvfrom", got);
    text2(prefix, "recvfrom.address", "length %u, %s", length, from.ss_family == 0x5555 ? "untouched" : "written");
}

static void ask_recvmsg(const char *prefix, int fd)
{
    char into[16], control[64];
    struct sockaddr_storage from;
    memset(&from, 0x55, sizeof from);
    struct iovec parts[2] = { { into, 2 }, { into + 2, 14 } };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = parts, .msg_iovlen = 2,
        .msg_control = control, .msg_controllen = sizeof control, .msg_flags = 77 };
    line2(prefix, "recvmsg", recvmsg(fd, &message, MSG_DONTWAIT));
    text2(prefix, "recvmsg.header", "name %u, control %zu, flags %d, %s", message.msg_namelen, message.msg_controllen,
        message.msg_flags, from.ss_family == 0x5555 ? "untouched" : "written");
}

static void ask_recvmsg_nameless(const char *prefix, int fd)
{
    char into[16];
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    line2(prefix, "recvmsg-nameless", recvmsg(fd, &message, MSG_DONTWAIT));
}

static void ask_truncated(const char *prefix, int fd)
{
    line2(prefix, "recv-trunc", recv(fd, NULL, 3, MSG_TRUNC | MSG_DONTWAIT));
}

static void ask_sendto(const char *prefix, int fd)
{
    struct sockaddr_in to = address("198.51.100.7", 9);
    line2(prefix, "sendto", sendto(fd, "abc", 3, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to));
}

static void ask_sendmsg(const char *prefix, int fd)
{
    struct iovec parts[2] = { { "ab", 2 }, { "c", 1 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    line2(prefix, "sendmsg", sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void ask_sendmsg_with_name(const char *prefix, int fd)
{
    struct iovec parts[2] = { { "ab", 2 }, { "c", 1 } };
    struct sockaddr_in to = address("198.51.100.7", 9);
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2, .msg_name = &to, .msg_namelen = sizeof to };
    line2(prefix, "sendmsg-with-name", sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void ask_with_bad_name_length(const char *prefix, int fd)
{
    char into[8];
    struct sockaddr_in at = address("127.0.0.1", 9);
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_name = &at, .msg_namelen = (socklen_t)-1, .msg_iov = &part, .msg_iovlen = 1 };
    line2(prefix, "recvmsg-bad-name-length", recvmsg(fd, &message, MSG_DONTWAIT));
    line2(prefix, "recvmsg-bad-name-length-errors", recvmsg(fd, &message, MSG_DONTWAIT | MSG_ERRQUEUE));
    message.msg_namelen = (socklen_t)-1;
    line2(prefix, "sendmsg-bad-name-length", sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void ask_mmsg(const char *prefix, int fd)
{
    char into[2][8];
    struct iovec in[2] = { { into[0], 2 }, { into[1], 8 } };
    struct mmsghdr some[2] = { 0 };
    for (int i = 0; i < 2; i++)
        some[i].msg_hdr = (struct msghdr){ .msg_iov = &in[i], .msg_iovlen = 1 };
    line2(prefix, "recvmmsg", recvmmsg(fd, some, 2, MSG_DONTWAIT, NULL));
    line2(prefix, "sendmmsg", sendmmsg(fd, some, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static volatile sig_atomic_t broken_pipes;

static void broken(int number)
{
    (void)number;
    broken_pipes++;
}

static void ask_broken_pipe(const char *prefix, int fd)
{
    struct sigaction action = { .sa_handler = broken }, before;
    must(sigaction(SIGPIPE, &action, &before) == 0, "a handler is set");
    broken_pipes = 0;
    struct iovec part = { "abc", 3 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    long sent = sendmsg(fd, &message, MSG_DONTWAIT);
    int saved = errno;
    for (int tries = 0; tries < 50 && SIGNALS_ARE_HEARD && sent == -1 && saved == EPIPE && !broken_pipes; tries++)
        poll(NULL, 0, 1);
    errno = saved;
    line2(prefix, "sendmsg-signal", sent);
    if (SIGNALS_ARE_HEARD)
        text2(prefix, "sendmsg-signal.count", "%d", (int)broken_pipes);
    must(sigaction(SIGPIPE, &before, NULL) == 0, "a handler is set back");
}

void messages(void)
{
    static void (*const CALLS[])(const char *, int) = { ask_recvfrom, ask_recvmsg, ask_recvmsg_nameless, ask_truncated,
        ask_sendto, ask_sendmsg, ask_sendmsg_with_name,
        ask_with_bad_name_length, ask_mmsg, ask_broken_pipe };
    for (size_t i = 0; i < STATE_COUNT; i++)
        for (size_t j = 0; j < sizeof CALLS / sizeof *CALLS; j++) {
            struct subject s = { -1, -1, -1 };
            STATES[i].make(&s);
            CALLS[j](STATES[i].name, s.fd);
            give_up(&s);
        }

    /* Bytes that calls of both kinds move keep their order. */
    struct pair both = connected();
    struct sockaddr_in to = address("198.51.100.7", 9);
    must(write(both.client, "one ", 4) == 4, "bytes are written");
    must(sendto(both.client, "two ", 4, 0, (struct sockaddr *)&to, sizeof to) == 4, "an address is ignored");
    must(write(both.client, "three", 5) == 5, "bytes are written");
    shutdown(both.client, SHUT_WR);
    settle(both.server, POLLRDHUP);
    char into[32] = "";
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    must(recvfrom(both.server, into, 6, 0, (struct sockaddr *)&from, &length) == 6, "six bytes are read");
    must(read(both.server, into + 6, 16) == 7, "and the rest");
    text("order-of-both-kinds", "%s", into);
    close(both.client);
    close(both.server);
}
