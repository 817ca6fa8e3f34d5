/* Bytes of a stream, or datagrams, under a storm of signals, by the calls that ieum answers itself: are all there, once, and in order?
 *
 *   interrupted receive|send BYTES MICROSECONDS    a signal each MICROSECONDS, whose handler was set without SA_RESTART
 *   interrupted datagrams COUNT                    to itself, and a signal for each, in the middle of which call chance decides
 *   interrupted messages COUNT                     the same by sendmmsg and recvmmsg, several at a time
 *
 * Tells the calls made, those that were interrupted, and breaks in the order, of which there must be none. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 7, WRITE = 251 * PIECE, SEVERAL = 3 };

static void hear(int number)
{
    (void)number;
}

static void must(int done, const char *what)
{
    if (!done) {
        perror(what);
        exit(2);
    }
}

static void storm(int microseconds)
{
    struct itimerval often = { .it_interval = { 0, microseconds }, .it_value = { 0, microseconds } };
    must(setitimer(ITIMER_REAL, &often, NULL) == 0, "setitimer");
}

/* Byte by byte a number that counts on; how often it did not. */
static long breaks(const unsigned char *bytes, long count, unsigned char *next)
{
    long found = 0;
    for (long i = 0; i < count; i++) {
        if (bytes[i] != *next) {
            found++;
            *next = bytes[i];
        }
        (*next)++;
    }
    return found;
}

static int receives(int fd, int microseconds)
{
    unsigned char into[PIECE], next = 0;
    long total = 0, calls = 0, interrupted = 0, broken = 0;
    storm(microseconds);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        long got = recvfrom(fd, into, sizeof into, 0, (struct sockaddr *)&from, &length);
        calls++;
        if (got < 0 && errno == EINTR) {
            interrupted++;
            continue;
        }
        if (got <= 0)
            break;
        broken += breaks(into, got, &next);
        total += got;
    }
    storm(0);
    printf("received %ld bytes by %ld calls, %ld of them interrupted, %ld breaks\n", total, calls, interrupted, broken);
    return broken != 0;
}

static int writes(int fd, long bytes)
{
    unsigned char from[WRITE], next = 0;
    for (long total = 0; total < bytes; total += WRITE) {
        for (int i = 0; i < WRITE; i++)
            from[i] = next++;
        for (long done = 0, now; done < WRITE; done += now)
            must((now = write(fd, from + done, (size_t)(WRITE - done))) > 0, "write");
    }
    return 0;
}

static int sends(int fd, long bytes, int microseconds)
{
    struct sockaddr_in nowhere = { .sin_family = AF_INET };
    unsigned char from[PIECE];
    long total = 0, calls = 0, interrupted = 0;
    storm(microseconds);
    while (total < bytes) {
        for (int i = 0; i < PIECE; i++)
            from[i] = (unsigned char)(total + i);
        long now = sendto(fd, from, sizeof from, 0, (struct sockaddr *)&nowhere, sizeof nowhere);
        calls++;
        must(now > 0 || errno == EINTR, "sendto");
        interrupted += now < 0;
        total += now > 0 ? now : 0;
    }
    storm(0);
    printf("sent %ld bytes by %ld calls, %ld of them interrupted\n", total, calls, interrupted);
    return 0;
}

static int reads(int fd)
{
    unsigned char into[65536], next = 0;
    long total = 0, broken = 0;
    for (long got; (got = read(fd, into, sizeof into)) > 0; total += got)
        broken += breaks(into, got, &next);
    printf("read %ld bytes, %ld breaks\n", total, broken);
    return broken != 0;
}

/* A signal for each number that `progress` passes, at a moment of chance. */
static void pester(pid_t whom, const volatile long *progress, long count)
{
    unsigned chance = 1;
    for (long last = -1; last + 1 < count;) {
        while (*progress == last)
            sched_yield();
        last = *progress;
        chance = chance * 1103515245 + 12345;
        for (volatile unsigned turns = chance >> 16; turns > 0; turns--)
            ;
        kill(whom, SIGALRM);
    }
}

/* One call: whether it sent `number`. */
static int sent(int fd, long number, struct sockaddr_in *at)
{
    return sendto(fd, &number, sizeof number, 0, (struct sockaddr *)at, sizeof *at) == sizeof number;
}

/* One call: whether something was heard, and what. */
static int heard(int fd, long *number)
{
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    return recvfrom(fd, number, sizeof *number, 0, (struct sockaddr *)&from, &length) == sizeof *number;
}

/* One call: how many of `numbers` it sent, each whole. */
static int sent_several(int fd, long *numbers, int count, struct sockaddr_in *at)
{
    struct iovec pieces[SEVERAL];
    struct mmsghdr messages[SEVERAL] = { 0 };
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){ &numbers[i], sizeof numbers[i] };
        messages[i].msg_hdr = (struct msghdr){ .msg_name = at, .msg_namelen = sizeof *at, .msg_iov = &pieces[i], .msg_iovlen = 1 };
    }
    int done = sendmmsg(fd, messages, (unsigned)count, 0);
    /* The same bytes in the same place again: what was interrupted is told to that call. */
    for (int i = 0; i < done; i++)
        must(messages[i].msg_len == sizeof numbers[i], "the length that sendmmsg writes");
    return done;
}

static int heard_several(int fd, long *numbers, int count)
{
    struct iovec pieces[SEVERAL];
    struct mmsghdr messages[SEVERAL] = { 0 };
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){ &numbers[i], sizeof numbers[i] };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
    }
    return recvmmsg(fd, messages, (unsigned)count, MSG_WAITFORONE, NULL);
}

/* Sends and hears `number` in one way; how many calls were interrupted. */
static long by_one(int fd, long number, struct sockaddr_in *at, long *broken)
{
    long interrupted = 0, got = -1;
    for (; !sent(fd, number, at); interrupted++)
        must(errno == EINTR, "sendto");
    for (; !heard(fd, &got); interrupted++)
        must(errno == EINTR, "recvfrom");
    *broken += got != number;
    return interrupted;
}

/* `number` and those after it, several at a time. */
static long by_several(int fd, long number, struct sockaddr_in *at, long *broken)
{
    long numbers[SEVERAL], got[SEVERAL], interrupted = 0;
    for (int i = 0; i < SEVERAL; i++) {
        numbers[i] = number * SEVERAL + i;
        got[i] = -1;
    }
    for (int done = 0, now; done < SEVERAL; done += now > 0 ? now : 0) {
        now = sent_several(fd, numbers + done, SEVERAL - done, at);
        must(now > 0 || errno == EINTR, "sendmmsg");
        interrupted += now < 0;
    }
    for (int done = 0, now; done < SEVERAL; done += now > 0 ? now : 0) {
        now = heard_several(fd, got + done, SEVERAL - done);
        must(now > 0 || errno == EINTR, "recvmmsg");
        interrupted += now < 0;
    }
    *broken += memcmp(numbers, got, sizeof got) != 0;
    return interrupted;
}

static int datagrams(long count, long (*exchange)(int, long, struct sockaddr_in *, long *))
{
    volatile long *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must((void *)progress != MAP_FAILED, "mmap");
    *progress = -1;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof at;
    must(bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    must(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "getsockname");
    pid_t own = getpid(), child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        pester(own, progress, count);
        _exit(0);
    }
    long interrupted = 0, broken = 0, left;
    for (long i = 0; i < count; i++) {
        *progress = i;
        interrupted += exchange(fd, i, &at, &broken);
    }
    /* Nothing may be left. */
    broken += recv(fd, &left, sizeof left, MSG_DONTWAIT) >= 0;
    int status = 0;
    while (waitpid(child, &status, 0) != child)
        must(errno == EINTR, "waitpid");
    printf("%ld exchanges, %ld calls interrupted, %ld breaks\n", count, interrupted, broken);
    return broken != 0;
}

int main(int count, char **arguments)
{
    struct sigaction action = { .sa_handler = hear };
    must(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    if (count == 3 && strcmp(arguments[1], "datagrams") == 0)
        return datagrams(atol(arguments[2]), by_one);
    if (count == 3 && strcmp(arguments[1], "messages") == 0)
        return datagrams(atol(arguments[2]), by_several);
    if (count != 4 || (strcmp(arguments[1], "receive") != 0 && strcmp(arguments[1], "send") != 0)) {
        fprintf(stderr, "interrupted receive|send BYTES MICROSECONDS\ninterrupted datagrams|messages COUNT\n");
        return 2;
    }
    int is_receiver = strcmp(arguments[1], "receive") == 0, microseconds = atoi(arguments[3]);
    long bytes = atol(arguments[2]);
    int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof at;
    must(bind(listening, (struct sockaddr *)&at, sizeof at) == 0 && listen(listening, 1) == 0, "listen");
    must(getsockname(listening, (struct sockaddr *)&at, &length) == 0, "getsockname");
    must(connect(client, (struct sockaddr *)&at, sizeof at) == 0, "connect");
    int server = accept(listening, NULL, NULL);
    must(server >= 0, "accept");
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        close(is_receiver ? server : client);
        int result = is_receiver ? writes(client, bytes) : reads(server);
        fflush(stdout);
        _exit(result);
    }
    close(is_receiver ? client : server);
    int result = is_receiver ? receives(server, microseconds) : sends(client, bytes, microseconds);
    fflush(stdout);
    close(is_receiver ? server : client);
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    return result || WEXITSTATUS(status);
}
