/* Descriptors: copies, limits, handing over, what survives fork and exec. */
#include "parity.h"

static void copies(void)
{
    char into[8];
    struct pair both = connected();
    int copy = dup(both.client);
    close(both.client);
    line("dup.write", write(copy, "abc", 3));
    settle(both.server, POLLIN);
    line("dup.read", read(both.server, into, sizeof into));
    text("dup.still-open", "%s", mask(both.server));
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    line("dup.getpeername", getpeername(copy, (struct sockaddr *)&at, &length));
    close(copy);
    text("dup.last-closed", "%s", settle(both.server, POLLIN | POLLRDHUP));
    close(both.server);
}

static void copies_of_children(void)
{
    char into[8];
    struct pair both = connected();
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        must(write(both.client, "child", 5) == 5, "the child writes");
        close(both.client);
        _exit(0);
    }
    must(waitpid(child, NULL, 0) == child, "the child ends");
    settle(both.server, POLLIN);
    line("fork.read", read(both.server, into, sizeof into));
    text("fork.still-open", "%s", mask(both.server));
    line("fork.parent-writes", write(both.client, "abc", 3));
    close(both.client);
    close(both.server);
}

static void number_taken(void)
{
    int listening = listener();
    int fd = make_blocking(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    int again = connect_to(fd, "127.0.0.1", port_of(listening));
    line("same-number.connect-again", again);
    int copy = dup(fd);
    line("same-number.copy-is-connected", send(copy, "abc", 3, MSG_NOSIGNAL));
    close(copy);
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    if (NUMBERS_ARE_FILES) {
        int second = make_blocking(SOCK_STREAM);
        line("same-number.dup2", dup2(second, fd) == fd ? 0 : -1);
        line("same-number.dup2.getpeername", getpeername(fd, (struct sockaddr *)&at, &length));
        close(second);
    }
    close(fd);
    close(listening);

    /* A refused socket's copy keeps telling the same story. */
    fd = make_blocking(SOCK_STREAM);
    copy = dup(fd);
    listening = listener();
    must(connect_to(fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    must(connect_to(fd, "127.0.0.1", port_of(listening)) == 0, "the second connect succeeds");
    length = sizeof at;
    line("copy-made-before.getpeername", getpeername(copy, (struct sockaddr *)&at, &length));
    line("copy-made-before.send", send(copy, "abc", 3, MSG_NOSIGNAL));
    close(copy);
    close(fd);
    close(listening);
}

static void limits(void)
{
    int listening = listener();
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    must(write(client, "kept", 4) == 4, "bytes are written");
    settle(listening, POLLIN);

    struct rlimit before, tight;
    must(getrlimit(RLIMIT_NOFILE, &before) == 0, "the limit is known");
    int lowest = dup(0);
    must(lowest >= 0, "a number is free");
    close(lowest);
    tight = before;
    tight.rlim_cur = (rlim_t)lowest;
    must(setrlimit(RLIMIT_NOFILE, &tight) == 0, "the limit is taken");
    line("limit.socket", socket(AF_INET, SOCK_STREAM, 0));
    line("limit.socket-datagram", socket(AF_INET, SOCK_DGRAM, 0));
    line("limit.accept", accept(listening, NULL, NULL));
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    line("limit.accept-with-address", accept(listening, (struct sockaddr *)&from, &length));
    must(setrlimit(RLIMIT_NOFILE, &before) == 0, "the limit is as before");
    text("limit.still-waiting", "%s", settle(listening, POLLIN));
    length = sizeof from;
    int fd = accept(listening, (struct sockaddr *)&from, &length);
    line("limit.accept-after", fd >= 0 ? 0 : -1);
    text("limit.accept-after.address", "%s", from.sin_port == htons((unsigned short)port_of(client)) ? "the client's" : "another");
    char into[8];
    settle(fd, POLLIN);
    line("limit.accept-after.read", read(fd, into, sizeof into));
    close(fd);
    close(client);
    close(listening);
}

static void handed_over(void)
{
    int way[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0, "a pair is made");
    struct pair both = connected();
    char payload = 'x';
    struct iovec part = { &payload, 1 };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &both.client, sizeof(int));
    line("handed-over.send", sendmsg(way[0], &message, 0));
    close(both.client);
    must(recvmsg(way[1], &message, 0) == 1, "a descriptor is received");
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    line("handed-over.write", write(fd, "abc", 3));
    text("handed-over.read", "%s", settle(both.server, POLLIN));
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    line("handed-over.getpeername", getpeername(fd, (struct sockaddr *)&at, &length));
    close(fd);
    close(both.server);
    close(way[0]);
    close(way[1]);
}

/* A stream between strangers carries bytes, never descriptors. */
static void over_a_stream(void)
{
    struct pair both = connected();
    char payload = 'x';
    struct iovec part = { &payload, 1 };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    int spare = dup(0);
    memcpy(CMSG_DATA(&control.header), &spare, sizeof(int));
    line("descriptor-over-tcp", sendmsg(both.client, &message, MSG_NOSIGNAL));
    close(spare);
    close(both.client);
    close(both.server);
}

static void kind_of_file(void)
{
    int fd = make(SOCK_STREAM), on = 1;
    line("ioctl-fionbio", ioctl(fd, FIONBIO, &on));
    if (NUMBERS_ARE_FILES) {
        line("lseek", lseek(fd, 0, SEEK_SET));
        char name[32], target[64] = "";
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        must(readlink(name, target, sizeof target - 1) > 0, "a descriptor has a name");
        target[7] = 0;
        text("proc-link", "%s", target);
    }
    close(fd);
    line("close-again", close(fd));
}

void descriptors(void)
{
    copies();
    number_taken();
    if (NUMBERS_ARE_FILES)
        limits();
    if (CHILDREN_HAVE_SOCKETS) {
        copies_of_children();
        handed_over();
    }
    over_a_stream();
    kind_of_file();
}
