/* Calls that block: what ends them, in threads, by timers and by signals. */
#include "parity2.h"

struct work { int fd; long result; int error; char into[64]; struct sockaddr_in from; };

static void *accepts(void *argument)
{
    struct work *work = argument;
    socklen_t length = sizeof work->from;
    work->result = accept(work->fd, (struct sockaddr *)&work->from, &length);
    work->error = errno;
    return NULL;
}

static void *reads(void *argument)
{
    struct work *work = argument;
    work->result = recv(work->fd, work->into, sizeof work->into, 0);
    work->error = errno;
    return NULL;
}

static void *reads_messages(void *argument)
{
    struct work *work = argument;
    struct iovec part = { work->into, sizeof work->into };
    struct sockaddr_storage from;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from };
    work->result = recvmsg(work->fd, &message, 0);
    work->error = errno;
    return NULL;
}

static void *reads_datagrams(void *argument)
{
    struct work *work = argument;
    socklen_t length = sizeof work->from;
    work->result = recvfrom(work->fd, work->into, sizeof work->into, 0, (struct sockaddr *)&work->from, &length);
    work->error = errno;
    return NULL;
}

static void *polls(void *argument)
{
    struct work *work = argument;
    struct pollfd one = { .fd = work->fd, .events = POLLIN | POLLRDHUP };
    work->result = poll(&one, 1, 5000);
    work->error = one.revents;
    return NULL;
}

static void *shuts(void *argument)
{
    struct work *work = argument;
    poll(NULL, 0, 50);
    work->result = shutdown(work->fd, SHUT_RDWR);
    return NULL;
}

/* Until a thread sleeps in a call nobody outside can tell; a moment is given, and the outcome is the same without. */
static void moment(void) { poll(NULL, 0, 30); }

static void outcome(const char *name, struct work *work)
{
    errno = work->error;
    line(name, work->result > 0 && work->fd < 0 ? 0 : work->result);
}

static void in_threads(void)
{
    pthread_t thread;
    int listening = listener();
    blocking(listening, true);
    struct work work = { .fd = listening };
    must(pthread_create(&thread, NULL, accepts, &work) == 0, "a thread begins");
    moment();
    int client = make_blocking(SOCK_STREAM);
    line("thread-accepts.connect", connect_to(client, "127.0.0.1", port_of(listening)));
    pthread_join(thread, NULL);
    line("thread-accepts.accept", work.result >= 0 ? 0 : -1);
    text("thread-accepts.peer", "%s", ntohs(work.from.sin_port) == port_of(client) ? "the client" : "another");
    int server = (int)work.result;

    static void *(*const READERS[])(void *) = { reads, reads_messages };
    static const char *const NAMES[] = { "thread-reads", "thread-reads-message" };
    for (int i = 0; i < 2; i++) {
        work = (struct work){ .fd = server };
        must(pthread_create(&thread, NULL, READERS[i], &work) == 0, "a thread begins");
        moment();
        must(write(client, "hello", 5) == 5, "bytes are written");
        pthread_join(thread, NULL);
        outcome(NAMES[i], &work);
    }
    work = (struct work){ .fd = server };
    must(pthread_create(&thread, NULL, polls, &work) == 0, "a thread begins");
    moment();
    must(shutdown(client, SHUT_WR) == 0, "the far end finishes");
    pthread_join(thread, NULL);
    text("thread-polls", "%ld: %s", work.result, work.error & POLLRDHUP ? "RDHUP" : "else");
    close(client);
    close(server);

    /* Two wait, one comes. */
    struct work both[2] = { { .fd = listening, .result = -2 }, { .fd = listening, .result = -2 } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, accepts, &both[i]) == 0, "a thread begins");
    moment();
    int clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = make_blocking(SOCK_STREAM);
        must(connect_to(clients[i], "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    text("two-threads-accept", "%d", (both[0].result >= 0) + (both[1].result >= 0));
    for (int i = 0; i < 2; i++) {
        close((int)both[i].result);
        close(clients[i]);
    }

    /* Shutting a listener wakes who accepts. */
    work = (struct work){ .fd = listening };
    pthread_t shutter;
    struct work shut = { .fd = listening };
    must(pthread_create(&shutter, NULL, shuts, &shut) == 0, "a thread begins");
    accepts(&work);
    pthread_join(shutter, NULL);
    outcome("shut-while-accepting", &work);
    close(listening);

    /* Shutting a connection wakes who reads. */
    struct pair pair = connected();
    blocking(pair.server, true);
    for (int i = 0; i < 2; i++) {
        work = (struct work){ .fd = pair.server };
        shut = (struct work){ .fd = pair.server };
        must(pthread_create(&shutter, NULL, shuts, &shut) == 0, "a thread begins");
        READERS[i](&work);
        pthread_join(shutter, NULL);
        outcome(i ? "shut-while-reading-message" : "shut-while-reading", &work);
    }
    close(pair.client);
    close(pair.server);

    /* A datagram wakes who waits for it. */
    int here = make_blocking(SOCK_DGRAM), there = make_blocking(SOCK_DGRAM);
    must(bind_to(here, "127.0.0.1", 0) == 0, "a free port is bound");
    work = (struct work){ .fd = here };
    must(pthread_create(&thread, NULL, reads_datagrams, &work) == 0, "a thread begins");
    moment();
    struct sockaddr_in to = address("127.0.0.1", port_of(here));
    must(sendto(there, "hello", 5, 0, (struct sockaddr *)&to, sizeof to) == 5, "a datagram is sent");
    pthread_join(thread, NULL);
    outcome("thread-reads-datagram", &work);
    text("thread-reads-datagram.from", "%s", ntohs(work.from.sin_port) == port_of(there) ? "the sender" : "another");
    close(here);
    close(there);

    /* Resetting wakes who reads. */
    pair = connected();
    blocking(pair.server, true);
    work = (struct work){ .fd = pair.server };
    must(pthread_create(&thread, NULL, reads, &work) == 0, "a thread begins");
    moment();
    reset(pair.client);
    pthread_join(thread, NULL);
    outcome("reset-while-reading", &work);
    close(pair.server);
}

/* Who waits for a datagram, and who asks a socket that is shut for reading: nothing, from nowhere. */
static void datagrams_shut(void)
{
    static void *(*const READERS[])(void *) = { reads_datagrams, reads_messages, reads };
    static const char *const NAMES[] = { "shut-datagrams.recvfrom", "shut-datagrams.recvmsg", "shut-datagrams.recv" };
    for (int i = 0; i < 3; i++) {
        struct work work = { .fd = make_blocking(SOCK_DGRAM) }, shut = { .fd = work.fd };
        must(bind_to(work.fd, "127.0.0.1", 0) == 0, "a free port is bound");
        pthread_t reader, shutter;
        must(pthread_create(&reader, NULL, READERS[i], &work) == 0, "a thread begins");
        must(pthread_create(&shutter, NULL, shuts, &shut) == 0, "a thread begins");
        pthread_join(shutter, NULL);
        pthread_join(reader, NULL);
        line(NAMES[i], work.result);
        READERS[i](&work);
        text2(NAMES[i], "again", "%ld", work.result);
        struct iovec parts[2] = { { work.into, 8 }, { work.into + 8, 8 } };
        struct mmsghdr some[2] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
            { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } } };
        struct timespec none = { .tv_nsec = 1000000000 };
        line2(NAMES[i], "recvmmsg-no-time", recvmmsg(work.fd, some, 2, 0, &none));
        line2(NAMES[i], "recvmmsg", recvmmsg(work.fd, some, 2, 0, NULL));
        close(work.fd);
    }
}

struct many { int fd, flags; struct timespec *time; long result; int error; };

static void *reads_many(void *argument)
{
    struct many *many = argument;
    char into[3][8];
    struct iovec parts[3] = { { into[0], 8 }, { into[1], 8 }, { into[2], 8 } };
    struct mmsghdr all[3] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
        { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } }, { .msg_hdr = { .msg_iov = &parts[2], .msg_iovlen = 1 } } };
    many->result = recvmmsg(many->fd, all, 3, many->flags, many->time);
    many->error = errno;
    return NULL;
}

/* A call for three messages: how many it waits for. */
static void for_many(void)
{
    struct timespec next_to_nothing = { 0, 1 };
    struct timeval soon = { 0, 40000 };
    static const struct { const char *name; int flags, sent; bool enough, ends; } ALL[] = {
        { "all", 0, 3, false, false }, { "for-one", MSG_WAITFORONE, 1, false, false }, { "enough", 0, 1, true, false },
        { "time-out", 0, 2, false, true }, { "no-wait", MSG_DONTWAIT, 2, false, false },
    };
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        int fd = make_blocking(SOCK_DGRAM), sender = make_blocking(SOCK_DGRAM);
        must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
        struct sockaddr_in to = address("127.0.0.1", port_of(fd));
        if (ALL[i].ends)
            must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0, "SO_RCVTIMEO is taken");
        struct many many = { .fd = fd, .flags = ALL[i].flags, .time = ALL[i].enough ? &next_to_nothing : NULL };
        pthread_t thread;
        bool waits = ALL[i].sent == 3;
        if (waits)
            must(pthread_create(&thread, NULL, reads_many, &many) == 0, "a thread begins");
        for (int sent = 0; sent < ALL[i].sent; sent++) {
            must(sendto(sender, "abc", 3, 0, (struct sockaddr *)&to, sizeof to) == 3, "a datagram is sent");
            /* It is there, or taken by the thread already. */
            settle(fd, waits ? 0 : POLLIN);
            for (int waited = 0; waits && waited < PATIENCE_MS && strstr(mask(fd), "IN"); waited++)
                poll(NULL, 0, 1);
        }
        if (waits)
            pthread_join(thread, NULL);
        else
            reads_many(&many);
        errno = many.error;
        line2("many", ALL[i].name, many.result);
        close(sender);
        close(fd);
    }
}

static void by_time(void)
{
    struct timeval soon = { 0, 40000 };
    struct pair both = connected();
    blocking(both.server, true);
    must(setsockopt(both.server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0, "SO_RCVTIMEO is taken");
    struct work work = { .fd = both.server };
    reads(&work);
    outcome("timeout.recv", &work);
    reads_messages(&work);
    outcome("timeout.recvmsg-with-name", &work);
    must(setsockopt(both.server, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0, "SO_SNDTIMEO is taken");
    static char block[65536];
    long sent;
    do
        sent = send(both.server, block, sizeof block, MSG_NOSIGNAL);
    while (sent > 0);
    line("timeout.send", sent);
    close(both.client);
    close(both.server);

    int listening = listener();
    blocking(listening, true);
    must(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0, "SO_RCVTIMEO is taken");
    line("timeout.accept", accept(listening, NULL, NULL));
    struct timeval read_back;
    socklen_t length = sizeof read_back;
    line("timeout.read-back", getsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &read_back, &length));
    text("timeout.read-back.length", "%u", length);
    /* What is accepted has its own. */
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    int server = take(listening);
    length = sizeof read_back;
    must(getsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &read_back, &length) == 0, "SO_RCVTIMEO is answered");
    text("timeout.inherited", "%s", read_back.tv_usec || read_back.tv_sec ? "yes" : "no");
    close(server);
    close(client);
    close(listening);

    /* A queue that is full: the connect waits, and its time ends. */
    listening = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 0) == 0, "a socket listens");
    int first = make_blocking(SOCK_STREAM);
    must(connect_to(first, "127.0.0.1", port_of(listening)) == 0, "one fills the queue");
    int second = make_blocking(SOCK_STREAM);
    must(setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0, "SO_SNDTIMEO is taken");
    line("timeout.connect", connect_to(second, "127.0.0.1", port_of(listening)));
    line("timeout.connect-again", connect_to(second, "127.0.0.1", port_of(listening)));
    text("timeout.connect.poll", "%s", mask(second));
    close(take(listening));
    text("timeout.connect.goes-on", "%s", settle(second, POLLOUT));
    close(second);
    close(first);
    close(listening);
}

/* A time below zero is none to wait; it reads back as 0, as that of who waits for ever does. */
static void by_no_time(void)
{
    struct timeval never = { -1, 0 }, read_back = { 7, 7 };
    socklen_t length = sizeof read_back;
    struct pair both = connected();
    blocking(both.server, true);
    line("no-time.set", setsockopt(both.server, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never));
    line("no-time.get", getsockopt(both.server, SOL_SOCKET, SO_RCVTIMEO, &read_back, &length));
    text("no-time.read-back", "%ld %ld", (long)read_back.tv_sec, (long)read_back.tv_usec);
    struct work work = { .fd = both.server };
    reads(&work);
    outcome("no-time.recv", &work);
    reads_messages(&work);
    outcome("no-time.recvmsg-with-name", &work);
    close(both.client);
    close(both.server);

    work.fd = make_blocking(SOCK_DGRAM);
    must(bind_to(work.fd, "127.0.0.1", 0) == 0, "a free port is bound");
    must(setsockopt(work.fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never) == 0, "SO_RCVTIMEO is taken");
    reads(&work);
    outcome("no-time.datagram", &work);
    reads_datagrams(&work);
    outcome("no-time.recvfrom", &work);
    close(work.fd);

    /* A queue that is full: the connect goes on by itself. */
    int listening = make_blocking(SOCK_STREAM), first = make_blocking(SOCK_STREAM), second = make_blocking(SOCK_STREAM);
    must(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never) == 0, "SO_RCVTIMEO is taken");
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 0) == 0, "a socket listens");
    line("no-time.accept", accept(listening, NULL, NULL));
    must(connect_to(first, "127.0.0.1", port_of(listening)) == 0, "one fills the queue");
    must(setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never) == 0, "SO_SNDTIMEO is taken");
    line("no-time.connect", connect_to(second, "127.0.0.1", port_of(listening)));
    line("no-time.connect-again", connect_to(second, "127.0.0.1", port_of(listening)));
    /* What is accepted has its listener's time. */
    int server = take(listening);
    blocking(server, true);
    work.fd = server;
    reads(&work);
    outcome("no-time.inherited", &work);
    close(server);
    text("no-time.connect.goes-on", "%s", settle(second, POLLOUT));
    close(second);
    close(first);
    close(listening);
}

/* Signals come every 20 ms; no machine stands still for so long that a call's own time would be over before it is asked of one. */
enum { UNINTERRUPTED_S = 30 };

static void by_signals(bool restart)
{
    const char *prefix = restart ? "restart" : "signal";
    struct timeval longest = { UNINTERRUPTED_S, 0 };
    struct pair both = connected();
    blocking(both.server, true);
    int listening = listener();
    blocking(listening, true);
    if (restart) {
        must(setsockopt(both.server, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) == 0, "SO_RCVTIMEO is taken");
        must(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) == 0, "SO_RCVTIMEO is taken");
    }
    struct work work = { .fd = both.server };
    begin_interrupting(restart);
    reads(&work);
    errno = work.error;
    line2(prefix, "recv", work.result);
    reads_messages(&work);
    errno = work.error;
    line2(prefix, "recvmsg-with-name", work.result);
    work.fd = listening;
    accepts(&work);
    errno = work.error;
    line2(prefix, "accept", work.result);
    struct pollfd one = { .fd = both.server, .events = POLLIN };
    line2(prefix, "poll", poll(&one, 1, UNINTERRUPTED_S * 1000));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, both.server, &event) == 0, "a socket is watched");
    line2(prefix, "epoll", epoll_wait(epoll, &event, 1, UNINTERRUPTED_S * 1000));
    text2(prefix, "came", "%s", end_interrupting() > 0 ? "yes" : "no");
    close(epoll);
    close(listening);
    close(both.client);
    close(both.server);

    /* A connect that a signal interrupts goes on. */
    listening = make(SOCK_STREAM);
    must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 0) == 0, "a socket listens");
    int first = make_blocking(SOCK_STREAM), second = make_blocking(SOCK_STREAM);
    must(connect_to(first, "127.0.0.1", port_of(listening)) == 0, "one fills the queue");
    if (!restart) {
        begin_interrupting(false);
        line2(prefix, "connect", connect_to(second, "127.0.0.1", port_of(listening)));
        end_interrupting();
        blocking(second, false);
        line2(prefix, "connect-again", connect_to(second, "127.0.0.1", port_of(listening)));
        close(take(listening));
        text2(prefix, "connect.goes-on", "%s", settle(second, POLLOUT));
        text2(prefix, "connect.so-error", "%s", take_error(second) ? "some" : "none");
    }
    close(second);
    close(first);
    close(listening);
}

/* Calls that wait without end go on after a signal whose handler asked for that. */
static void going_on(void)
{
    struct pair both = connected();
    int listening = listener(), port = port_of(listening);
    blocking(both.server, true);
    blocking(listening, true);
    int datagrams[2] = { make_blocking(SOCK_DGRAM), make_blocking(SOCK_DGRAM) };
    must(bind_to(datagrams[0], "127.0.0.1", 0) == 0, "a free port is bound");
    struct sockaddr_in to = address("127.0.0.1", port_of(datagrams[0]));
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        poll(NULL, 0, 70);
        must(write(both.client, "hello", 5) == 5, "bytes are written");
        poll(NULL, 0, 70);
        must(write(both.client, "hello", 5) == 5, "bytes are written");
        poll(NULL, 0, 70);
        must(sendto(datagrams[1], "hello", 5, 0, (struct sockaddr *)&to, sizeof to) == 5, "a datagram is sent");
        poll(NULL, 0, 70);
        int client = make_blocking(SOCK_STREAM);
        must(connect_to(client, "127.0.0.1", port) == 0, "a connection is made");
        _exit(0);
    }
    struct work work = { .fd = both.server };
    begin_interrupting(true);
    reads(&work);
    line("goes-on.recv", work.result);
    reads_messages(&work);
    line("goes-on.recvmsg-with-name", work.result);
    work.fd = datagrams[0];
    reads_datagrams(&work);
    line("goes-on.recvfrom-datagram", work.result);
    work.fd = listening;
    accepts(&work);
    line("goes-on.accept", work.result >= 0 ? 0 : -1);
    text("goes-on.interrupted", "%s", end_interrupting() > 3 ? "yes" : "no");
    waitpid(child, NULL, 0);
    close((int)work.result);
    close(datagrams[0]);
    close(datagrams[1]);
    close(listening);
    close(both.client);
    close(both.server);
}

static volatile sig_atomic_t heard;

static void hear(int number)
{
    (void)number;
    heard++;
}

/* A signal that comes while bytes are there costs none of them. */
static void bytes_survive(void)
{
    struct pair both = connected();
    blocking(both.server, true);
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        blocking(both.client, true);
        for (int i = 0; i < 200; i++)
            must(write(both.client, "0123456789", 10) == 10, "bytes are written");
        _exit(0);
    }
    close(both.client);
    struct sigaction action = { .sa_handler = hear };
    must(sigaction(SIGALRM, &action, NULL) == 0, "a handler is set");
    struct itimerval often = { .it_interval = { 0, 500 }, .it_value = { 0, 500 } };
    must(setitimer(ITIMER_REAL, &often, NULL) == 0, "a timer is set");
    long total = 0;
    bool in_order = true;
    for (;;) {
        char into[7];
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        long got = recvfrom(both.server, into, sizeof into, 0, (struct sockaddr *)&from, &length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        for (long i = 0; i < got; i++)
            in_order &= into[i] == '0' + (total + i) % 10;
        total += got;
    }
    end_interrupting();
    waitpid(child, NULL, 0);
    text("signals-cost-no-bytes", "%ld, %s", total, in_order ? "in order" : "out of order");
    close(both.server);
}

/* A signal that comes while bytes are sent makes none of them go twice. The address says nothing on a stream. */
static void bytes_go_once(void)
{
    struct pair both = connected();
    blocking(both.server, true);
    pid_t child = fork();
    must(child >= 0, "a child is made");
    if (child == 0) {
        close(both.client);
        long total = 0;
        bool in_order = true;
        char into[64];
        for (long got; (got = read(both.server, into, sizeof into)) > 0; total += got)
            for (long i = 0; i < got; i++)
                in_order &= into[i] == '0' + (total + i) % 10;
        _exit(total == 2000 && in_order ? 0 : 1);
    }
    close(both.server);
    blocking(both.client, true);
    struct sigaction action = { .sa_handler = hear };
    must(sigaction(SIGALRM, &action, NULL) == 0, "a handler is set");
    struct itimerval often = { .it_interval = { 0, 500 }, .it_value = { 0, 500 } };
    must(setitimer(ITIMER_REAL, &often, NULL) == 0, "a timer is set");
    struct sockaddr_in nowhere = { .sin_family = AF_INET };
    for (long sent = 0; sent < 2000;) {
        char from[10];
        for (int i = 0; i < 10; i++)
            from[i] = (char)('0' + (sent + i) % 10);
        long now = sendto(both.client, from, sizeof from, 0, (struct sockaddr *)&nowhere, sizeof nowhere);
        must(now > 0 || errno == EINTR, "bytes are sent");
        sent += now > 0 ? now : 0;
    }
    end_interrupting();
    close(both.client);
    int status = 0;
    waitpid(child, &status, 0);
    line("signals-send-no-byte-twice", WEXITSTATUS(status));
}

void blocked(void)
{
    in_threads();
    by_time();
    by_no_time();
    for_many();
    datagrams_shut();
    if (!SIGNALS_ARE_HEARD)
        return;
    by_signals(false);
    by_signals(true);
    going_on();
    bytes_survive();
    bytes_go_once();
}
