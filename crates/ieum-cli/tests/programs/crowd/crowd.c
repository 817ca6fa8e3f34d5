/* Very many connections, open at once.
 *
 *   crowd serve PORT          echoes whatever comes to PORT, for ever; prints "ready" when it listens
 *   crowd call HOST PORT N    opens N connections, and only then says N different things; prints how many came back
 *   crowd both N              the two, as two programs, over loopback
 *   crowd limit               a server at its limit of open files */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool held, const char *sentence)
{
    if (held)
        return;
    printf("crowd: %s: %s\n", sentence, strerrorname_np(errno));
    exit(1);
}

static void raise_limit(void)
{
    struct rlimit files;
    must(getrlimit(RLIMIT_NOFILE, &files) == 0, "the limit is known");
    files.rlim_cur = files.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &files) == 0, "the limit is raised");
}

static struct sockaddr_in at(const char *host, int port)
{
    struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    must(inet_pton(AF_INET, host, &out.sin_addr) == 1, "an address is one");
    return out;
}

static int listener(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    must(fd >= 0, "a socket is made");
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "SO_REUSEADDR is taken");
    struct sockaddr_in here = at("0.0.0.0", port);
    must(bind(fd, (struct sockaddr *)&here, sizeof here) == 0, "a port is bound");
    must(listen(fd, 4096) == 0, "a socket listens");
    return fd;
}

static void accept_all(int epoll, int listening)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        int fd = accept4(listening, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        must(fd >= 0, "a connection is accepted");
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "a connection is watched");
    }
}

static void serve(int port)
{
    raise_limit();
    int listening = listener(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listening }, events[64];
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event) == 0, "a listener is watched");
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listening) {
                accept_all(epoll, listening);
                continue;
            }
            char bytes[64];
            ssize_t got = read(fd, bytes, sizeof bytes);
            if (got <= 0)
                close(fd);
            else
                must(write(fd, bytes, (size_t)got) == got, "an echo is written");
        }
    }
}

static void call(const char *host, int port, int count)
{
    raise_limit();
    struct sockaddr_in there = at(host, port);
    int *fds = calloc((size_t)count, sizeof *fds);
    must(fds != NULL, "there is memory");
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(fds[i] >= 0, "a socket is made");
        must(connect(fds[i], (struct sockaddr *)&there, sizeof there) == 0, "a connection is made");
    }
    for (int i = 0; i < count; i++) {
        char own[32] = { 0 };
        snprintf(own, sizeof own, "number %d", i);
        must(write(fds[i], own, sizeof own) == sizeof own, "bytes are written");
    }
    int right = 0;
    for (int i = 0; i < count; i++) {
        char own[32] = { 0 }, got[32] = { 0 };
        snprintf(own, sizeof own, "number %d", i);
        right += recv(fds[i], got, sizeof got, MSG_WAITALL) == sizeof got && memcmp(own, got, sizeof own) == 0;
    }
    printf("%d of %d connections got their own bytes\n", right, count);
    fflush(stdout);
}

static void both(const char *self, const char *count)
{
    int out[2];
    must(pipe(out) == 0, "a pipe is made");
    pid_t server = fork();
    must(server >= 0, "a child is made");
    if (server == 0) {
        dup2(out[1], 1);
        execl(self, "crowd", "serve", "7", (char *)NULL);
        _exit(1);
    }
    char ready[6];
    must(read(out[0], ready, sizeof ready) == sizeof ready, "the server is ready");
    pid_t client = fork();
    must(client >= 0, "a child is made");
    if (client == 0) {
        execl(self, "crowd", "call", "127.0.0.1", "7", count, (char *)NULL);
        _exit(1);
    }
    int status = 1;
    must(waitpid(client, &status, 0) == client, "the client ends");
    kill(server, SIGTERM);
    must(waitpid(server, NULL, 0) == server, "the server ends");
    exit(status != 0);
}

/* With room for three connections: the fourth is refused by the limit, stays queued, and comes after one close. */
static void limit(void)
{
    int listening = listener(7), clients[6], servers[6];
    for (int i = 0; i < 6; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in there = at("127.0.0.1", 7);
        must(connect(clients[i], (struct sockaddr *)&there, sizeof there) == 0, "a connection is made");
        must(write(clients[i], "abcdef" + i, 1) == 1, "a byte is written");
    }
    int next = dup(0);
    close(next);
    struct rlimit files;
    must(getrlimit(RLIMIT_NOFILE, &files) == 0, "the limit is known");
    files.rlim_cur = (rlim_t)next + 3;
    must(setrlimit(RLIMIT_NOFILE, &files) == 0, "the limit is lowered");
    int held = 0, refused = 0, closed = 0;
    char seen[7] = "";
    while (closed + held < 6) {
        struct pollfd one = { .fd = listening, .events = POLLIN };
        must(poll(&one, 1, 5000) == 1, "a connection waits");
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        int fd = accept4(listening, (struct sockaddr *)&from, &length, SOCK_CLOEXEC);
        if (fd < 0) {
            must(errno == EMFILE, "the limit is what refuses");
            refused++;
            char byte[2] = "";
            must(read(servers[--held], byte, 1) == 1, "a byte is read");
            strcat(seen, byte);
            close(servers[held]);
            closed++;
            continue;
        }
        servers[held++] = fd;
    }
    while (held > 0) {
        char byte[2] = "";
        must(read(servers[--held], byte, 1) == 1, "a byte is read");
        strcat(seen, byte);
    }
    int sum = 0;
    for (int i = 0; seen[i]; i++)
        sum |= 1 << (seen[i] - 'a');
    printf("%d refused by the limit, %zu served, %s\n", refused, strlen(seen), sum == 63 ? "each once" : seen);
}

int main(int count, char **words)
{
    signal(SIGPIPE, SIG_IGN);
    if (count == 3 && strcmp(words[1], "serve") == 0)
        serve(atoi(words[2]));
    else if (count == 5 && strcmp(words[1], "call") == 0)
        call(words[2], atoi(words[3]), atoi(words[4]));
    else if (count == 3 && strcmp(words[1], "both") == 0)
        both(words[0], words[2]);
    else if (count == 2 && strcmp(words[1], "limit") == 0)
        limit();
    else
        return 2;
    return 0;
}
