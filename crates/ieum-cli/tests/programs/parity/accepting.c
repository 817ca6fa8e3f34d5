/* Listening and accepting: flags, addresses, queues, limits. */
#include "parity.h"

static void flags(void)
{
    int listening = listener();
    int port = port_of(listening);
    for (int wanted = 0; wanted < 2; wanted++) {
        int client = make_blocking(SOCK_STREAM);
        must(connect_to(client, "127.0.0.1", port) == 0, "a connection is made");
        settle(listening, POLLIN);
        struct sockaddr_in from = { 0 };
        socklen_t length = sizeof from;
        int fd = wanted ? accept4(listening, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC)
                        : accept(listening, (struct sockaddr *)&from, &length);
        must(fd >= 0, "a waiting connection is taken");
        text(wanted ? "accept4.flags" : "accept.flags", "%s %s", fcntl(fd, F_GETFL) & O_NONBLOCK ? "non-blocking" : "blocking",
             fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close-on-exec" : "kept");
        text(wanted ? "accept4.address" : "accept.address", "%s length %u", from.sin_port == htons((unsigned short)port_of(client)) ? "the client's" : "another", length);
        close(fd);
        close(client);
    }
    line("accept4.wrong-flags", accept4(listening, NULL, NULL, 0x40000000));
    text("listening.poll-empty", "%s", mask(listening));
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port) == 0, "a connection is made");
    text("listening.poll-waiting", "%s", settle(listening, POLLIN));
    struct sockaddr_in from = { 0 };
    socklen_t length = 4;
    int fd = accept(listening, (struct sockaddr *)&from, &length);
    line("accept.cut-address", fd >= 0 ? 0 : -1);
    text("accept.cut-address.length", "%u", length);
    close(fd);
    close(client);
    line("accept.empty", accept(listening, NULL, NULL));
    close(listening);
    line("accept.closed-descriptor", accept(listening, NULL, NULL));
}

static void not_listening(void)
{
    int fd = make_blocking(SOCK_STREAM);
    line("accept-not-listening.fresh", accept(fd, NULL, NULL));
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    line("accept-not-listening.with-address", accept(fd, (struct sockaddr *)&from, &length));
    close(fd);
    fd = make_blocking(SOCK_DGRAM);
    line("accept-not-listening.datagram", accept(fd, NULL, NULL));
    line("listen.datagram", listen(fd, 1));
    close(fd);
    fd = make(SOCK_STREAM);
    line("listen.unbound", listen(fd, 1));
    text("listen.unbound.port", "%s", port_of(fd) ? "some" : "none");
    line("listen.again", listen(fd, 5));
    line("listen.negative-backlog", listen(fd, -1));
    close(fd);
}

static void queue(void)
{
    int listening = listener();
    int port = port_of(listening);
    int clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = make_blocking(SOCK_STREAM);
        must(connect_to(clients[i], "127.0.0.1", port) == 0, "a connection is made");
        char byte = (char)('a' + i);
        must(write(clients[i], &byte, 1) == 1, "a byte is written");
    }
    char order[4] = "";
    for (int i = 0; i < 3; i++) {
        int fd = take(listening);
        settle(fd, POLLIN);
        must(read(fd, &order[i], 1) == 1, "its byte is there");
        close(fd);
    }
    text("accept-queue.order", "%s", order);
    for (int i = 0; i < 3; i++)
        close(clients[i]);

    /* A client that came and went before accept is still given, with its bytes and its end. */
    int gone = make_blocking(SOCK_STREAM);
    must(connect_to(gone, "127.0.0.1", port) == 0, "a connection is made");
    must(write(gone, "xyz", 3) == 3, "bytes are written");
    close(gone);
    int fd = take(listening);
    text("accept-queue.gone.poll", "%s", settle(fd, POLLIN | POLLRDHUP));
    char into[8];
    line("accept-queue.gone.read", read(fd, into, sizeof into));
    line("accept-queue.gone.read-end", read(fd, into, sizeof into));
    close(fd);

    /* What waits in the queue of a listener that closes is reset. */
    int left = make_blocking(SOCK_STREAM);
    must(connect_to(left, "127.0.0.1", port) == 0, "a connection is made");
    settle(listening, POLLIN);
    close(listening);
    text("accept-queue.listener-closed.poll", "%s", settle(left, POLLHUP));
    text("accept-queue.listener-closed.so-error", "%s", errno_name(take_error(left)));
    close(left);
    fd = make_blocking(SOCK_STREAM);
    line("accept-queue.listener-closed.connect", connect_to(fd, "127.0.0.1", port));
    close(fd);
}

static void listener_shut(void)
{
    int listening = listener();
    int port = port_of(listening);
    line("listener-shut", shutdown(listening, SHUT_RD));
    line("listener-shut.accept", accept(listening, NULL, NULL));
    text("listener-shut.poll", "%s", mask(listening));
    int fd = make_blocking(SOCK_STREAM);
    line("listener-shut.connect", connect_to(fd, "127.0.0.1", port));
    close(fd);
    line("listener-shut.listen-again", listen(listening, 4));
    close(listening);
}

static void on_alarm(int number) { (void)number; }

static void interrupted(void)
{
    struct sigaction plain = { .sa_handler = on_alarm };
    struct itimerval soon = { .it_value = { .tv_usec = 30000 } };
    int listening = listener();
    blocking(listening, true);
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    if (SIGNALS_ARE_HEARD) {
        must(sigaction(SIGALRM, &plain, NULL) == 0, "a handler is set");
        must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "a timer runs");
        line("accept-interrupted", accept(listening, NULL, NULL));
        must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "a timer runs");
        line("accept-interrupted.with-address", accept(listening, (struct sockaddr *)&from, &length));
    }

    struct timeval short_while = { .tv_usec = 20000 };
    must(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &short_while, sizeof short_while) == 0, "a time-out is set");
    line("accept-timed-out", accept(listening, NULL, NULL));
    line("accept-timed-out.with-address", accept(listening, (struct sockaddr *)&from, &length));
    close(listening);

    struct pair both = connected();
    blocking(both.client, true);
    char byte;
    if (SIGNALS_ARE_HEARD) {
        must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "a timer runs");
        line("recv-interrupted", recv(both.client, &byte, 1, 0));
    }
    must(setsockopt(both.client, SOL_SOCKET, SO_RCVTIMEO, &short_while, sizeof short_while) == 0, "a time-out is set");
    line("recv-timed-out", recv(both.client, &byte, 1, 0));
    close(both.client);
    close(both.server);
    signal(SIGALRM, SIG_DFL);
}

static void connect_and_write(int port)
{
    int fd = make_blocking(SOCK_STREAM);
    must(connect_to(fd, "127.0.0.1", port) == 0, "the child connects");
    must(write(fd, "abc", 3) == 3, "the child writes");
    close(fd);
}

/* accept waits while somebody else connects. */
static void blocking_accept(void)
{
    int listening = listener();
    blocking(listening, true);
    begin_beside(connect_and_write, port_of(listening));
    struct sockaddr_in from = { 0 };
    socklen_t length = sizeof from;
    int fd = accept(listening, (struct sockaddr *)&from, &length);
    line("accept-blocking", fd >= 0 ? 0 : -1);
    char into[8];
    line("accept-blocking.recv", recv(fd, into, sizeof into, MSG_WAITALL));
    end_beside();
    close(fd);
    close(listening);
}

void accepting(void)
{
    flags();
    not_listening();
    queue();
    listener_shut();
    interrupted();
    blocking_accept();
}
