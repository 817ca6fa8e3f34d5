/* How many bytes a reader, a writer and a close wait for: SO_RCVLOWAT, MSG_WAITALL, TCP_NOTSENT_LOWAT, SO_LINGER with a time. */
#include "parity2.h"

/* How long a call waits that is not given enough, in milliseconds. */
enum { WAIT_MS = 1000 };

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Did something that began then last so long? The kernel's timers may be some milliseconds early, and a busy machine makes what does not
 * wait late: half of the time lies far from both. */
static const char *lasted(long long began_ms, long long longest_ms)
{
    return now_ms() - began_ms >= longest_ms / 2 ? "yes" : "no";
}

/* A pair whose server waits for `enough` bytes, and no longer than WAIT_MS. */
static struct pair patient(int enough)
{
    struct pair pair = connected();
    struct timeval longest = { .tv_sec = WAIT_MS / 1000, .tv_usec = WAIT_MS % 1000 * 1000 };
    must(setsockopt(pair.server, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof enough) == 0, "SO_RCVLOWAT is taken");
    must(setsockopt(pair.server, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) == 0, "SO_RCVTIMEO is taken");
    blocking(pair.server, true);
    return pair;
}

static void part(struct pair pair)
{
    close(pair.client);
    close(pair.server);
}

static void give(struct pair pair, const char *bytes)
{
    long length = (long)strlen(bytes);
    must(send(pair.client, bytes, (size_t)length, 0) == length, "bytes are sent");
    /* They have come when all of them are there, however few poll thinks they are. */
    int there = 0;
    while (there < length)
        must(ioctl(pair.server, FIONREAD, &there) == 0, "what is there is counted");
}

/* The ways to receive. */
static long by_recv(int fd, char *into, size_t size, int flags) { return recv(fd, into, size, flags); }

static long by_recvfrom(int fd, char *into, size_t size, int flags)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    return recvfrom(fd, into, size, flags, (struct sockaddr *)&from, &length);
}

static long by_recvmsg(int fd, char *into, size_t size, int flags)
{
    struct sockaddr_storage from;
    struct iovec buffer = { into, size };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &buffer, .msg_iovlen = 1 };
    return recvmsg(fd, &message, flags);
}

static const struct way { const char *name; long (*receive)(int fd, char *into, size_t size, int flags); } WAYS[] = {
    { "enough-recv", by_recv }, { "enough-recvfrom", by_recvfrom }, { "enough-recvmsg", by_recvmsg },
};

/* Receives, and tells whether it took as long as a call waits that is not given enough. */
static void tell(const struct way *way, const char *name, int fd, size_t size, int flags)
{
    char into[64], waited[64];
    long long before = now_ms();
    long result = way->receive(fd, into, size, flags);
    const char *enough = lasted(before, WAIT_MS);
    line2(way->name, name, result);
    snprintf(waited, sizeof waited, "%s.waited", name);
    text2(way->name, waited, "%s", enough);
}

static void receives(const struct way *way)
{
    char into[64];
    struct pair pair = patient(4);
    tell(way, "nothing", pair.server, sizeof into, 0);
    give(pair, "ab");
    line2(way->name, "at-once", way->receive(pair.server, into, sizeof into, MSG_DONTWAIT));
    give(pair, "cd");
    tell(way, "too-few", pair.server, sizeof into, 0);
    give(pair, "ef");
    line2(way->name, "asked-for-no-more", way->receive(pair.server, into, 2, 0));
    give(pair, "ghij");
    line2(way->name, "enough", way->receive(pair.server, into, sizeof into, 0));
    give(pair, "kl");
    tell(way, "peek", pair.server, sizeof into, MSG_PEEK);
    must(shutdown(pair.client, SHUT_WR) == 0, "the end is sent");
    line2(way->name, "the-last", way->receive(pair.server, into, sizeof into, 0));
    line2(way->name, "the-end", way->receive(pair.server, into, sizeof into, 0));
    part(pair);

    pair = patient(1);
    give(pair, "abc");
    line2(way->name, "one-is-enough", way->receive(pair.server, into, sizeof into, 0));
    give(pair, "abc");
    tell(way, "look-at-all", pair.server, 5, MSG_PEEK | MSG_WAITALL);
    tell(way, "all", pair.server, 5, MSG_WAITALL);
    give(pair, "abcde");
    line2(way->name, "look-at-all-there", way->receive(pair.server, into, 5, MSG_PEEK | MSG_WAITALL));
    line2(way->name, "all-there", way->receive(pair.server, into, 5, MSG_WAITALL));
    part(pair);
}

struct reading { int fd; long result; };

static void *reads(void *argument)
{
    struct reading *reading = argument;
    char into[64];
    reading->result = recv(reading->fd, into, sizeof into, 0);
    return NULL;
}

/* What comes while a reader waits. Linux wakes nobody for less than SO_RCVLOWAT that is new, whatever the reader has already. */
static void comes(void)
{
    struct pair pair = connected();
    int enough = 6;
    must(setsockopt(pair.server, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof enough) == 0, "SO_RCVLOWAT is taken");
    blocking(pair.server, true);
    struct reading reading = { .fd = pair.server };
    pthread_t thread;
    must(pthread_create(&thread, NULL, reads, &reading) == 0, "a thread begins");
    line("enough-comes.first", send(pair.client, "abc", 3, 0));
    poll(NULL, 0, 30);
    line("enough-comes.second", send(pair.client, "defghi", 6, 0));
    pthread_join(thread, NULL);
    line("enough-comes.read", reading.result);
    part(pair);
}

static void polls(void)
{
    struct pair pair = patient(4);
    give(pair, "ab");
    text("enough-poll.too-few", "%s", mask(pair.server));
    give(pair, "cd");
    text("enough-poll.enough", "%s", mask(pair.server));
    part(pair);
    pair = patient(4);
    give(pair, "ab");
    must(shutdown(pair.client, SHUT_WR) == 0, "the end is sent");
    text("enough-poll.the-last", "%s", settle(pair.server, POLLRDHUP));
    part(pair);
}

/* What is accepted waits for as many as its listener was told to. */
static void inherits(void)
{
    int enough = 4, listening = listener();
    struct timeval longest = { .tv_sec = WAIT_MS / 1000, .tv_usec = WAIT_MS % 1000 * 1000 };
    must(setsockopt(listening, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof enough) == 0, "SO_RCVLOWAT is taken");
    must(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest) == 0, "SO_RCVTIMEO is taken");
    struct pair pair = { .client = make_blocking(SOCK_STREAM) };
    must(connect_to(pair.client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    pair.server = take(listening);
    blocking(pair.server, true);
    socklen_t length = sizeof enough;
    enough = 0;
    line("enough-inherited.get", getsockopt(pair.server, SOL_SOCKET, SO_RCVLOWAT, &enough, &length));
    line("enough-inherited.bytes", enough);
    give(pair, "ab");
    tell(&WAYS[0], "inherited", pair.server, 64, 0);
    part(pair);
    close(listening);
}

/* A writer who is not to write further ahead of the network than that. */
static void unsent(void)
{
    struct pair pair = connected();
    int small = 4096, unsent = 16384;
    must(setsockopt(pair.server, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0, "SO_RCVBUF is taken");
    line("enough-unsent.set", setsockopt(pair.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent));
    static char bytes[4096];
    long written = 0;
    struct pollfd one = { .fd = pair.client, .events = POLLOUT };
    while (written < 1 << 20 && poll(&one, 1, WAIT_MS) == 1)
        written += send(pair.client, bytes, sizeof bytes, MSG_DONTWAIT);
    text("enough-unsent.is-bounded", "%s", written < 200000 ? "yes" : "no");
    part(pair);
}

/* Who lifts that bound writes as far ahead as ever. */
static void unsent_again(void)
{
    struct pair pair = connected();
    int unsent = 16384, none = -1;
    line("enough-unsent-again.set", setsockopt(pair.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent));
    line("enough-unsent-again.lift", setsockopt(pair.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &none, sizeof none));
    text("enough-unsent-again.is-far-ahead", "%s", fill(pair.client) > 200000 ? "yes" : "no");
    part(pair);
}

/* An urgent byte ends a read that would go on. */
static void up_to_urgent(const struct way *way)
{
    char into[64];
    struct pair pair = connected();
    blocking(pair.server, true);
    give(pair, "abc");
    must(send(pair.client, "!", 1, MSG_OOB) == 1, "an urgent byte is sent");
    settle(pair.server, POLLPRI);
    line2(way->name, "up-to-urgent", way->receive(pair.server, into, sizeof into, MSG_WAITALL));
    part(pair);
}

/* A reset ends it too, and is told to who reads next. */
static void up_to_reset(const struct way *way)
{
    char into[64];
    struct pair pair = connected();
    struct linger at_once = { 1, 0 };
    blocking(pair.server, true);
    give(pair, "abc");
    must(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 && close(pair.client) == 0, "a reset is sent");
    settle(pair.server, POLLERR);
    line2(way->name, "up-to-reset", way->receive(pair.server, into, sizeof into, MSG_WAITALL));
    line2(way->name, "the-reset", way->receive(pair.server, into, sizeof into, MSG_WAITALL));
    line2(way->name, "after-the-reset", way->receive(pair.server, into, sizeof into, MSG_WAITALL));
    close(pair.server);
}

static void *reads_to_the_end(void *argument)
{
    struct reading *reading = argument;
    static char into[1 << 16];
    poll(NULL, 0, 30);
    for (long count; (count = recv(reading->fd, into, sizeof into, 0)) > 0;)
        reading->result += count;
    return NULL;
}

/* Closing waits no longer than the peer needs. */
static void lingers_no_longer(void)
{
    struct pair pair = connected();
    struct linger an_hour = { 1, 3600 };
    must(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &an_hour, sizeof an_hour) == 0, "SO_LINGER is taken");
    long written = fill(pair.client);
    blocking(pair.server, true);
    struct reading reading = { .fd = pair.server };
    pthread_t thread;
    must(pthread_create(&thread, NULL, reads_to_the_end, &reading) == 0, "a thread begins");
    line("enough-lingers.close", close(pair.client));
    pthread_join(thread, NULL);
    text("enough-lingers.came", "%s", reading.result == written ? "all" : "some");
    close(pair.server);
}

/* Closing waits for what was sent, when it is told to, no longer than it is told to. */
static void lingers(void)
{
    struct pair pair = connected();
    struct linger one_second = { 1, 1 };
    must(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &one_second, sizeof one_second) == 0, "SO_LINGER is taken");
    long written = fill(pair.client), came = 0, count;
    long long before = now_ms();
    long result = close(pair.client);
    const char *enough = lasted(before, 1000);
    line("enough-linger.close", result);
    text("enough-linger.waited", "%s", enough);
    static char into[1 << 16];
    blocking(pair.server, true);
    while ((count = recv(pair.server, into, sizeof into, 0)) > 0)
        came += count;
    line("enough-linger.end", count);
    text("enough-linger.came", "%s", came == written ? "all" : "some");
    close(pair.server);
}

void enough(void)
{
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++)
        receives(&WAYS[i]), up_to_urgent(&WAYS[i]), up_to_reset(&WAYS[i]);
    comes();
    polls();
    inherits();
    unsent();
    unsent_again();
    lingers();
    lingers_no_longer();
}
