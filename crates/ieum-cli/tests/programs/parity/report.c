/* Lines, and the small words every story needs. */
#include "parity.h"

#include <stdarg.h>

const char *errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : "UNKNOWN";
}

void line(const char *name, long result)
{
    int saved = errno;
    if (result == -1)
        printf("%s: %s\n", name, errno_name(saved));
    else
        printf("%s: %ld\n", name, result);
    fflush(stdout);
}

void text(const char *name, const char *format, ...)
{
    va_list arguments;
    printf("%s: ", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

void must(bool held, const char *sentence)
{
    if (held)
        return;
    printf("parity: %s: %s\n", sentence, errno_name(errno));
    fflush(stdout);
    exit(1);
}

static const short EVERY = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;

static const char *words(short bits)
{
    static char out[80];
    static const struct { short bit; const char *word; } names[] = {
        { POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" },
        { POLLHUP, "HUP" }, { POLLRDHUP, "RDHUP" }, { POLLNVAL, "NVAL" },
    };
    out[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bits & names[i].bit) {
            if (out[0])
                strcat(out, "|");
            strcat(out, names[i].word);
        }
    return out[0] ? out : "none";
}

static short look(int fd, int timeout_ms)
{
    struct pollfd one = { .fd = fd, .events = EVERY };
    must(poll(&one, 1, timeout_ms) >= 0, "poll looks");
    return one.revents;
}

const char *mask(int fd) { return words(look(fd, 0)); }

const char *settle(int fd, short wanted)
{
    short seen = 0;
    /* Level-triggered bits that are there already would make poll return at once, so only the missing ones are
     * asked for; POLLERR and POLLHUP come unasked, hence the short tick in between. */
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        seen = look(fd, 0);
        if ((seen & wanted) == wanted)
            return words(seen);
        poll(NULL, 0, 1);
    }
    return words(seen);
}

struct sockaddr_in address(const char *ip, int port)
{
    struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    must(inet_pton(AF_INET, ip, &out.sin_addr) == 1, "an address is one");
    return out;
}

int make_blocking(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    must(fd >= 0, "a socket is made");
    return fd;
}

int make(int type) { return make_blocking(type | SOCK_NONBLOCK); }

int port_of(int fd)
{
    struct sockaddr_in at = { 0 };
    socklen_t length = sizeof at;
    must(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "a socket has a name");
    return ntohs(at.sin_port);
}

int bind_to(int fd, const char *ip, int port)
{
    struct sockaddr_in at = address(ip, port);
    return bind(fd, (struct sockaddr *)&at, sizeof at);
}

int connect_to(int fd, const char *ip, int port)
{
    struct sockaddr_in at = address(ip, port);
    return connect(fd, (struct sockaddr *)&at, sizeof at);
}

int take_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0, "SO_ERROR is answered");
    return error;
}

void blocking(int fd, bool yes)
{
    int flags = fcntl(fd, F_GETFL);
    must(flags >= 0, "F_GETFL is answered");
    must(fcntl(fd, F_SETFL, yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0, "F_SETFL is taken");
}

int listener(void)
{
    int fd = make(SOCK_STREAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    must(listen(fd, 16) == 0, "a bound socket listens");
    return fd;
}

int take(int listening)
{
    settle(listening, POLLIN);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    must(fd >= 0, "a waiting connection is taken");
    return fd;
}

struct pair connected(void)
{
    struct pair out;
    int listening = listener();
    out.client = make_blocking(SOCK_STREAM);
    must(connect_to(out.client, "127.0.0.1", port_of(listening)) == 0, "a connection is made");
    blocking(out.client, false);
    out.server = take(listening);
    close(listening);
    return out;
}

long fill(int fd)
{
    /* Longer than the 200 ms (TCP_RTO_MIN) after which a sender asks a closed window again, and may find room. */
    static const int ASKED_AGAIN_MS = 500;
    static char block[65536];
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    long sent = 0, count;
    int refusal;
    do {
        while ((count = send(fd, block, sizeof block, MSG_NOSIGNAL)) > 0)
            sent += count;
        refusal = errno;
        must(refusal == EAGAIN, "a full buffer says so");
    } while (poll(&room, 1, ASKED_AGAIN_MS) > 0);
    errno = refusal;
    return sent;
}

int closed_port(void)
{
    int fd = make(SOCK_STREAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    int port = port_of(fd);
    close(fd);
    return port;
}

void reset(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "SO_LINGER is taken");
    close(fd);
}

static struct { void (*work)(int); int argument; pid_t child; pthread_t thread; } beside;

static void *in_a_thread(void *nothing)
{
    beside.work(beside.argument);
    return nothing;
}

void begin_beside(void (*work)(int), int argument)
{
    beside.work = work;
    beside.argument = argument;
    if (!CHILDREN_HAVE_SOCKETS) {
        must(pthread_create(&beside.thread, NULL, in_a_thread, NULL) == 0, "a thread is made");
        return;
    }
    beside.child = fork();
    must(beside.child >= 0, "a child is made");
    if (beside.child == 0) {
        work(argument);
        _exit(0);
    }
}

void end_beside(void)
{
    if (CHILDREN_HAVE_SOCKETS)
        must(waitpid(beside.child, NULL, 0) == beside.child, "the child ends");
    else
        must(pthread_join(beside.thread, NULL) == 0, "the thread ends");
}
