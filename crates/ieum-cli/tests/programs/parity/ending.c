/* How connections end: in order, by half, by reset, by a killed program. */
#include "parity.h"

static void in_order(void)
{
    struct pair both = connected();
    must(write(both.client, "hello", 5) == 5, "bytes are written");
    close(both.client);
    text("closed.poll", "%s", settle(both.server, POLLIN | POLLRDHUP));
    char into[16];
    line("closed.read", read(both.server, into, sizeof into));
    line("closed.read-end", read(both.server, into, sizeof into));
    line("closed.read-end-again", read(both.server, into, sizeof into));
    line("closed.write", send(both.server, "abc", 3, MSG_NOSIGNAL));
    /* The peer is gone: its answer to those bytes is a reset. */
    text("closed.write.poll", "%s", settle(both.server, POLLERR | POLLHUP));
    line("closed.write-again", send(both.server, "abc", 3, MSG_NOSIGNAL));
    line("closed.write-third", send(both.server, "abc", 3, MSG_NOSIGNAL));
    line("closed.read-last", read(both.server, into, sizeof into));
    close(both.server);
}

static void by_half(void)
{
    struct pair both = connected();
    must(write(both.client, "ask", 3) == 3, "a question is written");
    line("half.shutdown", shutdown(both.client, SHUT_WR));
    text("half.poll", "%s", settle(both.server, POLLIN | POLLRDHUP));
    char into[16];
    line("half.read", read(both.server, into, sizeof into));
    line("half.read-end", read(both.server, into, sizeof into));
    line("half.answer", write(both.server, "answer", 6));
    text("half.answer.poll", "%s", settle(both.client, POLLIN));
    line("half.answer.read", read(both.client, into, sizeof into));
    line("half.client-writes", send(both.client, "abc", 3, MSG_NOSIGNAL));
    text("half.poll-both", "%s", mask(both.client));
    line("half.shutdown-again", shutdown(both.client, SHUT_WR));
    close(both.server);
    text("half.server-closed.poll", "%s", settle(both.client, POLLHUP));
    line("half.server-closed.read", read(both.client, into, sizeof into));
    line("half.server-closed.shutdown", shutdown(both.client, SHUT_WR));
    close(both.client);
}

static void signals_when_broken(void)
{
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        struct pair both = connected();
        must(shutdown(both.client, SHUT_WR) == 0, "this end finishes");
        (void)!write(both.client, "abc", 3);
        _exit(0);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child, "the child ends");
    text("broken-pipe", "%s", WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "no signal");
}

static void by_reset(void)
{
    char into[16];
    struct pair both = connected();
    must(write(both.client, "hello", 5) == 5, "bytes are written");
    settle(both.server, POLLIN);
    reset(both.client);
    text("reset.poll", "%s", settle(both.server, POLLERR | POLLHUP));
    line("reset.read-queued", read(both.server, into, sizeof into));
    line("reset.read", read(both.server, into, sizeof into));
    line("reset.read-again", read(both.server, into, sizeof into));
    line("reset.write", send(both.server, "abc", 3, MSG_NOSIGNAL));
    text("reset.poll-after", "%s", mask(both.server));
    close(both.server);

    both = connected();
    reset(both.client);
    settle(both.server, POLLERR | POLLHUP);
    text("reset.so-error", "%s", errno_name(take_error(both.server)));
    line("reset.so-error.read", read(both.server, into, sizeof into));
    line("reset.so-error.write", send(both.server, "abc", 3, MSG_NOSIGNAL));
    close(both.server);

    both = connected();
    reset(both.client);
    settle(both.server, POLLERR | POLLHUP);
    line("reset.write-first", send(both.server, "abc", 3, MSG_NOSIGNAL));
    line("reset.write-second", send(both.server, "abc", 3, MSG_NOSIGNAL));
    line("reset.write-then-read", read(both.server, into, sizeof into));
    close(both.server);

    /* Closing with bytes unread resets too. */
    both = connected();
    must(write(both.server, "unread", 6) == 6, "bytes are written");
    settle(both.client, POLLIN);
    close(both.client);
    text("closed-unread.poll", "%s", settle(both.server, POLLERR | POLLHUP));
    line("closed-unread.read", read(both.server, into, sizeof into));
    close(both.server);

    /* A reset after this end finished, and one after the far end finished. */
    both = connected();
    must(shutdown(both.server, SHUT_WR) == 0, "this end finishes");
    settle(both.client, POLLRDHUP);
    reset(both.client);
    text("reset-after-shutdown.poll", "%s", settle(both.server, POLLERR | POLLHUP));
    line("reset-after-shutdown.read", read(both.server, into, sizeof into));
    close(both.server);

    both = connected();
    must(shutdown(both.client, SHUT_WR) == 0, "the far end finishes");
    settle(both.server, POLLRDHUP);
    reset(both.client);
    text("reset-after-end.poll", "%s", settle(both.server, POLLERR | POLLHUP));
    text("reset-after-end.so-error", "%s", errno_name(take_error(both.server)));
    line("reset-after-end.read", read(both.server, into, sizeof into));
    close(both.server);
}

static void read_shut(void)
{
    char into[16];
    struct pair both = connected();
    must(write(both.client, "early", 5) == 5, "bytes are written");
    settle(both.server, POLLIN);
    line("reading-shut", shutdown(both.server, SHUT_RD));
    line("reading-shut.early", read(both.server, into, sizeof into));
    line("reading-shut.end", read(both.server, into, sizeof into));
    line("reading-shut.far-writes", send(both.client, "late", 4, MSG_NOSIGNAL));
    text("reading-shut.poll", "%s", settle(both.server, POLLIN | POLLRDHUP));
    line("reading-shut.late", read(both.server, into, sizeof into));
    line("reading-shut.writes", send(both.server, "abc", 3, MSG_NOSIGNAL));
    close(both.client);
    close(both.server);
}

/* Closing what was shut down in both directions before: with SO_LINGER and no time it resets, the connecting end and the accepted. */
static void reset_after_both(const char *name, bool accepted)
{
    char label[60];
    struct pair both = connected();
    int closed = accepted ? both.server : both.client, other = accepted ? both.client : both.server;
    struct linger none = { 1, 0 };
    line(name, shutdown(closed, SHUT_RDWR));
    snprintf(label, sizeof label, "%s.end", name);
    text(label, "%s", settle(other, POLLIN | POLLRDHUP));
    must(setsockopt(closed, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0, "SO_LINGER is set");
    close(closed);
    snprintf(label, sizeof label, "%s.reset", name);
    settle(other, POLLHUP);
    text(label, "%s", errno_name(take_error(other)));
    close(other);
}

/* A program that holds one end is killed; what the other end sees. */
static void killed(const char *name, bool unread)
{
    int listening = listener();
    int port = port_of(listening);
    int ready[2];
    must(pipe(ready) == 0, "a pipe is made");
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        int fd = make_blocking(SOCK_STREAM);
        must(connect_to(fd, "127.0.0.1", port) == 0, "the child connects");
        must(write(fd, "hello", 5) == 5, "the child writes");
        must(write(ready[1], "r", 1) == 1, "the child is ready");
        for (;;)
            pause();
    }
    char byte, into[16], label[60];
    must(read(ready[0], &byte, 1) == 1, "the child is heard");
    int fd = take(listening);
    settle(fd, POLLIN);
    if (unread) {
        must(write(fd, "never read", 10) == 10, "bytes are written");
        int count = 1;
        /* Sent and acknowledged, so that they lie unread with the child. */
        for (int tries = 0; count && tries < PATIENCE_MS; tries++) {
            if (ioctl(fd, TIOCOUTQ, &count) != 0)
                break;
            poll(NULL, 0, 1);
        }
    }
    kill(child, SIGKILL);
    must(waitpid(child, NULL, 0) == child, "the child is gone");
    snprintf(label, sizeof label, "%s.poll", name);
    text(label, "%s", settle(fd, unread ? POLLERR | POLLHUP : POLLIN | POLLRDHUP));
    snprintf(label, sizeof label, "%s.read", name);
    line(label, read(fd, into, sizeof into));
    snprintf(label, sizeof label, "%s.read-then", name);
    line(label, read(fd, into, sizeof into));
    close(fd);
    close(listening);
    close(ready[0]);
    close(ready[1]);
}

void ending(void)
{
    in_order();
    by_half();
    if (SIGNALS_ARE_HEARD)
        signals_when_broken();
    by_reset();
    read_shut();
    reset_after_both("reset-after-both", false);
    reset_after_both("accepted-reset-after-both", true);
    if (CHILDREN_HAVE_SOCKETS) {
        killed("killed", false);
        killed("killed-with-unread", true);
    }
}
