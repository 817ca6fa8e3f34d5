/* One description under many numbers and in many processes. */
#include "parity2.h"

static void over_another(void)
{
    struct pair one = connected(), two = connected();
    char into[8];
    line("dup2-over.result", dup2(one.client, two.client) == two.client ? 0 : -1);
    text("dup2-over.closed-the-other", "%s", settle(two.server, POLLIN | POLLRDHUP));
    line("dup2-over.other-reads", read(two.server, into, sizeof into));
    line("dup2-over.write", write(two.client, "abc", 3));
    settle(one.server, POLLIN);
    line("dup2-over.read", read(one.server, into, sizeof into));
    close(one.client);
    text("dup2-over.one-left", "%s", mask(one.server));
    close(two.client);
    text("dup2-over.none-left", "%s", settle(one.server, POLLIN | POLLRDHUP));
    close(one.server);
    close(two.server);

    /* A fresh socket over a listening one. */
    int listening = listener(), port = port_of(listening), new = make(SOCK_STREAM);
    must(dup2(new, listening) == listening, "a number is given another socket");
    close(new);
    int client = make_blocking(SOCK_STREAM);
    line("dup2-over-listener.connect", connect_to(client, "127.0.0.1", port));
    line("dup2-over-listener.accept", accept(listening, NULL, NULL));
    close(client);
    close(listening);
}

static void listening_copy(void)
{
    int listening = listener(), port = port_of(listening), copy = dup(listening);
    close(listening);
    int client = make_blocking(SOCK_STREAM);
    line("listening-copy.connect", connect_to(client, "127.0.0.1", port));
    int fd = take(copy);
    line("listening-copy.accepted", fd >= 0 ? 0 : -1);
    close(fd);
    close(copy);
    close(client);
    client = make_blocking(SOCK_STREAM);
    line("listening-copy.none-left", connect_to(client, "127.0.0.1", port));
    close(client);
}

static void shared_by_fork(void)
{
    struct pair both = connected();
    int go[2];
    must(pipe(go) == 0, "a pipe is made");
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        char byte;
        must(read(go[0], &byte, 1) == 1, "the child is told");
        must(write(both.client, "child ", 6) == 6, "the child writes");
        must(shutdown(both.client, SHUT_WR) == 0, "the child finishes for both");
        _exit(0);
    }
    must(write(both.client, "parent ", 7) == 7, "the parent writes");
    must(write(go[1], "g", 1) == 1, "the child is told");
    must(waitpid(child, NULL, 0) == child, "the child ends");
    text("shared.after-shutdown.poll", "%s", settle(both.server, POLLIN | POLLRDHUP));
    char into[32] = "";
    must(read(both.server, into, sizeof into - 1) >= 0, "all is read");
    text("shared.both-wrote", "%s", into);
    line("shared.parent-writes", send(both.client, "abc", 3, MSG_NOSIGNAL));
    close(both.client);
    close(both.server);
    close(go[0]);
    close(go[1]);

    /* The parent listens and forks; the child accepts; the parent closes first. */
    int listening = listener(), port = port_of(listening), ready[2];
    must(pipe(ready) == 0, "a pipe is made");
    child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        blocking(listening, true);
        must(write(ready[1], "r", 1) == 1, "the child is ready");
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        int fd = accept(listening, (struct sockaddr *)&from, &length);
        must(fd >= 0, "the child accepts");
        must(write(fd, "hello", 5) == 5, "and answers");
        _exit(0);
    }
    char byte;
    must(read(ready[0], &byte, 1) == 1, "the child is heard");
    close(listening);
    int client = make_blocking(SOCK_STREAM);
    line("child-accepts.connect", connect_to(client, "127.0.0.1", port));
    line("child-accepts.read", recv(client, into, 5, MSG_WAITALL));
    must(waitpid(child, NULL, 0) == child, "the child ends");
    line("child-accepts.end", read(client, into, sizeof into));
    close(client);
    client = make_blocking(SOCK_STREAM);
    line("child-accepts.gone", connect_to(client, "127.0.0.1", port));
    close(client);
    close(ready[0]);
    close(ready[1]);
}

int after_exec(const char *what, const char *argument)
{
    int fd = atoi(argument);
    if (strcmp(what, "use") == 0) {
        struct sockaddr_in at;
        socklen_t length = sizeof at;
        line("exec.getpeername", getpeername(fd, (struct sockaddr *)&at, &length));
        int kind = 0;
        length = sizeof kind;
        must(getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length) == 0, "SO_TYPE is answered");
        text("exec.so-type", "%d", kind);
        line("exec.write", write(fd, "after exec", 10));
        return 0;
    }
    if (strcmp(what, "say") == 0)
        return write(fd, "inherited", 9) == 9 ? 0 : errno == EBADF ? 7 : 8;
    if (strcmp(what, "accept") == 0) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        settle(fd, POLLIN);
        int taken = accept(fd, (struct sockaddr *)&from, &length);
        line("exec-listener.accept", taken >= 0 ? 0 : -1);
        line("exec-listener.write", write(taken, "hello", 5));
        return 0;
    }
    line("exec.closed", write(fd, "x", 1));
    return 0;
}

static void run_self(const char *what, int fd)
{
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        execl("/proc/self/exe", "parity2", what, number, (char *)NULL);
        _exit(1);
    }
    must(waitpid(child, NULL, 0) == child, "the child ends");
}

static void across_exec(void)
{
    struct pair both = connected();
    must(fcntl(both.client, F_SETFD, 0) == 0, "it stays open on exec");
    run_self("use", both.client);
    char into[16];
    settle(both.server, POLLIN);
    line("exec.read", read(both.server, into, sizeof into));
    text("exec.still-open", "%s", mask(both.server));
    must(fcntl(both.client, F_SETFD, FD_CLOEXEC) == 0, "it closes on exec");
    run_self("closed", both.client);
    text("exec.parent-still-open", "%s", mask(both.server));
    close(both.client);
    close(both.server);

    int listening = listener();
    must(fcntl(listening, F_SETFD, 0) == 0, "it stays open on exec");
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    run_self("accept", listening);
    line("exec-listener.read", recv(client, into, 5, MSG_WAITALL));
    close(client);
    close(listening);

    static const struct { const char *name; int type; } KINDS[] = {
        { "cloexec.socket", SOCK_STREAM | SOCK_CLOEXEC }, { "cloexec.not", SOCK_STREAM },
        { "cloexec.datagram", SOCK_DGRAM | SOCK_CLOEXEC } };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        int fd = socket(AF_INET, KINDS[i].type, 0);
        line(KINDS[i].name, fcntl(fd, F_GETFD));
        close(fd);
    }
    listening = listener();
    for (int with_address = 0; with_address < 2; with_address++) {
        client = make_blocking(SOCK_STREAM);
        must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
        settle(listening, POLLIN);
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        int fd = with_address ? accept4(listening, (struct sockaddr *)&from, &length, SOCK_CLOEXEC)
                              : accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        line(with_address ? "cloexec.accept4-address" : "cloexec.accept4", fcntl(fd, F_GETFD));
        text(with_address ? "nonblock.accept4-address" : "nonblock.accept4", "%s",
            fcntl(fd, F_GETFL) & O_NONBLOCK ? "yes" : "no");
        close(fd);
        close(client);
    }
    /* A connected socket keeps its flag when its number is given a new carrier. */
    int fd = make_blocking(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", closed_port()) == -1, "nobody listens there");
    must(connect_to(fd, "127.0.0.1", port_of(listening)) == 0, "another does");
    line("cloexec.connected-again", fcntl(fd, F_GETFD));
    close(fd);
    close(listening);
}

static void give(int way, int fd)
{
    char payload = 'x';
    struct iovec part = { &payload, 1 };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    must(sendmsg(way, &message, 0) == 1, "a descriptor is sent");
}

static int got_with(int way, int flags)
{
    char payload;
    struct iovec part = { &payload, 1 };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    must(recvmsg(way, &message, flags) == 1, "a descriptor is received");
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

static int got(int way) { return got_with(way, 0); }

/* MSG_CMSG_CLOEXEC: what is received closes on exec, whatever it did where it came from. */
static void received_close_on_exec(void)
{
    static const struct { const char *name; int type; } WAYS[] = { { "stream", SOCK_STREAM }, { "datagram", SOCK_DGRAM },
        { "seqpacket", SOCK_SEQPACKET } };
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        int way[2], pipes[2];
        struct pair both = connected();
        must(socketpair(AF_UNIX, WAYS[i].type, 0, way) == 0 && pipe(pipes) == 0, "pairs are made");
        int datagrams = make(SOCK_DGRAM), listening = listener();
        struct { const char *name; int fd; } given[] = { { "connection", both.client }, { "listener", listening },
            { "datagrams", datagrams }, { "pipe", pipes[0] } };
        for (size_t j = 0; j < sizeof given / sizeof *given; j++)
            for (int flags = 0; flags < 2; flags++) {
                char name[80];
                give(way[0], given[j].fd);
                int fd = got_with(way[1], flags ? MSG_CMSG_CLOEXEC : 0);
                snprintf(name, sizeof name, "cloexec.by-%s.%s%s", WAYS[i].name, given[j].name, flags ? ".asked" : "");
                line2(name, "flag", fcntl(fd, F_GETFD));
                line2(name, "of-the-sender", fcntl(given[j].fd, F_GETFD));
                close(fd);
            }
        int all[] = { both.client, both.server, datagrams, listening, way[0], way[1], pipes[0], pipes[1] };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            close(all[j]);
    }
}

static void there_and_back(void)
{
    int way[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0, "a pair is made");
    struct pair both = connected();
    int listening = listener(), port = port_of(listening);
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        close(both.client);
        close(listening);
        close(way[0]);
        int fd = got(way[1]);
        must(write(fd, "from the child", 14) == 14, "the child writes");
        give(way[1], fd);
        close(fd);
        int server = got(way[1]);
        blocking(server, true);
        fd = accept(server, NULL, NULL);
        must(fd >= 0, "the child accepts");
        give(way[1], fd);
        _exit(0);
    }
    give(way[0], both.client);
    close(both.client);
    int back = got(way[0]);
    settle(both.server, POLLIN);
    char into[32];
    line("there-and-back.read", read(both.server, into, sizeof into));
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    line("there-and-back.getpeername", getpeername(back, (struct sockaddr *)&at, &length));
    line("there-and-back.write", write(back, "abc", 3));
    give(way[0], listening);
    close(listening);
    int client = make_blocking(SOCK_STREAM);
    line("there-and-back.connect", connect_to(client, "127.0.0.1", port));
    int fd = got(way[0]);
    must(waitpid(child, NULL, 0) == child, "the child ends");
    length = sizeof at;
    must(getpeername(fd, (struct sockaddr *)&at, &length) == 0, "an accepted connection has a peer");
    text("there-and-back.accepted-peer", "%s", ntohs(at.sin_port) == port_of(client) ? "the client" : "another");
    line("there-and-back.accepted-write", write(fd, "hello", 5));
    line("there-and-back.accepted-read", recv(client, into, 5, MSG_WAITALL));
    client = (close(client), make_blocking(SOCK_STREAM));
    line("there-and-back.listener-gone", connect_to(client, "127.0.0.1", port));
    close(client);
    close(fd);
    close(back);
    close(both.server);
    close(way[0]);
    close(way[1]);

    /* A descriptor on its way holds the connection. */
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0, "a pair is made");
    both = connected();
    give(way[0], both.client);
    close(both.client);
    text("on-its-way.poll", "%s", mask(both.server));
    close(way[0]);
    close(way[1]);
    text("on-its-way.lost", "%s", settle(both.server, POLLIN | POLLRDHUP));
    close(both.server);
}

static void shared_flags(void)
{
    struct pair both = connected();
    int copy = dup(both.client);
    blocking(copy, true);
    text("shared-flags.dup", "%s", fcntl(both.client, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
    int on = 1;
    must(ioctl(both.client, FIONBIO, &on) == 0, "FIONBIO is taken");
    char into[4];
    line("shared-flags.recv", recv(copy, into, sizeof into, 0));
    close(copy);
    close(both.client);
    close(both.server);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    text("shared-flags.access-mode", "%d", fcntl(fd, F_GETFL) & O_ACCMODE);
    on = 0;
    must(ioctl(fd, FIONBIO, &on) == 0, "FIONBIO is taken");
    text("shared-flags.ioctl-off", "%s", fcntl(fd, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking");
    close(fd);
}

void copies(void)
{
    listening_copy();
    if (NUMBERS_ARE_FILES) {
        over_another();
        across_exec();
    }
    if (CHILDREN_HAVE_SOCKETS) {
        shared_by_fork();
        there_and_back();
        received_close_on_exec();
    }
    shared_flags();
}
