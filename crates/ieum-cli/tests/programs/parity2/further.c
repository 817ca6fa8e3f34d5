/* Control messages of datagrams, sizes that are inherited, and calls that move bytes in other ways. */
#include "parity2.h"

#include <sys/sendfile.h>

static const char *controls(struct msghdr *message)
{
    static char out[200];
    out[0] = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header))
        snprintf(out + strlen(out), sizeof out - strlen(out), " %d/%d/%zu", header->cmsg_level, header->cmsg_type,
            (size_t)header->cmsg_len);
    return out[0] ? out : " none";
}

static void told(const char *name, int family, int level, const int *options, int count, size_t room)
{
    int here = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), there = make(SOCK_DGRAM), one = 1;
    struct sockaddr_storage any = { .ss_family = (sa_family_t)family };
    must(bind(here, (struct sockaddr *)&any, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0,
        "a free port is bound");
    for (int i = 0; i < count; i++)
        must(setsockopt(here, level, options[i], &one, sizeof one) == 0, "an option is taken");
    must(setsockopt(here, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one) == 0, "an option is taken");
    struct sockaddr_in to = address("127.0.0.1", port_of(here));
    must(sendto(there, "abc", 3, 0, (struct sockaddr *)&to, sizeof to) == 3, "a datagram is sent");
    settle(here, POLLIN);
    char into[8];
    union { struct cmsghdr header; char space[256]; } control = { 0 };
    struct iovec part = { into, sizeof into };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room };
    line2(name, "recvmsg", recvmsg(here, &message, 0));
    text2(name, "controls", "%s flags %d", controls(&message), message.msg_flags);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(header), sizeof info);
            text2(name, "pktinfo", "interface %d address %s", info.ipi_ifindex, inet_ntoa(info.ipi_addr));
        } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL)
            text2(name, "ttl", "%d", *(int *)CMSG_DATA(header));
    close(here);
    close(there);
}

static void inherited_sizes(void)
{
    int listening = make(SOCK_STREAM), size = 30000, got = 0;
    must(setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0, "SO_RCVBUF is taken");
    must(setsockopt(listening, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0, "SO_SNDBUF is taken");
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 4) == 0, "a socket listens");
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    int server = take(listening);
    socklen_t length = sizeof got;
    must(getsockopt(server, SOL_SOCKET, SO_RCVBUF, &got, &length) == 0, "SO_RCVBUF is answered");
    text("inherited.rcvbuf", "%d", got);
    must(getsockopt(server, SOL_SOCKET, SO_SNDBUF, &got, &length) == 0, "SO_SNDBUF is answered");
    text("inherited.sndbuf", "%d", got);
    close(server);
    close(client);
    close(listening);
}

static void with_oneself(void)
{
    int fd = make_blocking(SOCK_STREAM);
    char into[8];
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    line("oneself.connect", connect_to(fd, "127.0.0.1", port_of(fd)));
    line("oneself.write", write(fd, "abc", 3));
    settle(fd, POLLIN);
    line("oneself.read", recv(fd, into, sizeof into, MSG_DONTWAIT));
    line("oneself.shutdown", shutdown(fd, SHUT_WR));
    text("oneself.poll", "%s", settle(fd, POLLHUP));
    close(fd);
}

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    (void)number;
    signalled++;
}

static void other_ways(void)
{
    static char into[4096];
    struct pair both = connected();
    line("read-nothing", read(both.client, into, 0));
    line("write-nothing", write(both.client, into, 0));
    close(both.client);
    close(both.server);
    if (!NUMBERS_ARE_FILES)
        return;
    both = connected();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), pipes[2];
    must(file >= 0 && pipe(pipes) == 0, "a file and a pipe are there");
    line("sendfile", sendfile(both.client, file, NULL, sizeof into));
    long got = 0, now;
    while (got < (long)sizeof into && (settle(both.server, POLLIN), now = recv(both.server, into, sizeof into, 0)) > 0)
        got += now;
    text("sendfile.arrives", "%ld", got);
    must(write(pipes[1], "hello", 5) == 5, "bytes are in the pipe");
    line("splice-out", splice(pipes[0], NULL, both.client, NULL, 5, 0));
    settle(both.server, POLLIN);
    line("splice-in", splice(both.server, NULL, pipes[1], NULL, 16, 0));
    line("splice-in.read", read(pipes[0], into, 16));
    line("pread", pread(both.client, into, 1, 0));
    line("ftruncate", ftruncate(both.client, 0));
    line("fsync", fsync(both.client));
    line("isatty", isatty(both.client) ? 0 : -1);
    struct sigaction action = { .sa_handler = on_signal };
    must(sigaction(SIGIO, &action, NULL) == 0, "a handler is set");
    line("async.owner", fcntl(both.server, F_SETOWN, getpid()));
    line("async.flag", fcntl(both.server, F_SETFL, O_ASYNC | O_NONBLOCK));
    signalled = 0;
    must(write(both.client, "x", 1) == 1, "a byte is written");
    for (int tries = 0; tries < PATIENCE_MS && !signalled; tries++)
        poll(NULL, 0, 1);
    text("async.signal", "%s", signalled ? "came" : "none");
    signal(SIGIO, SIG_IGN);
    close(file);
    close(pipes[0]);
    close(pipes[1]);
    close(both.client);
    close(both.server);
}

void further(void)
{
    static const int FOUR[] = { IP_PKTINFO, IP_RECVTTL }, SIX[] = { IPV6_RECVPKTINFO };
    told("controls-4", AF_INET, IPPROTO_IP, FOUR, 2, 256);
    told("controls-4-short", AF_INET, IPPROTO_IP, FOUR, 2, 40);
    told("controls-4-unpadded", AF_INET, IPPROTO_IP, FOUR, 1, 60);
    told("controls-4-cut", AF_INET, IPPROTO_IP, FOUR, 1, 52);
    told("controls-4-none", AF_INET, IPPROTO_IP, FOUR, 2, 0);
    told("controls-6-from-4", AF_INET6, IPPROTO_IPV6, SIX, 1, 256);
    inherited_sizes();
    with_oneself();
    other_ways();
}
