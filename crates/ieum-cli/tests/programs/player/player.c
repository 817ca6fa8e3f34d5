/* Makes the socket calls it is told, one a line, and prints what each returned: `=` and a value or the name of an errno.
 * Sockets are non-blocking and are named by slots. Ports that the system chose are printed as `some`.
 *
 * The first line is `own ADDRESS`: of a datagram socket beside the slots, by which two players tell each other that what one
 * has sent before has arrived at the other (`ping ADDRESS PORT`, `pong`, `pinged`). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS 6
/* Ports from here on are chosen by the system. */
#define FIRST_CHOSEN 32768

static int sockets[SLOTS];
static unsigned char bytes[4096];

/* A slot is taken by another socket. */
static void put(int slot, int fd)
{
    if (fd >= 0 && sockets[slot] >= 0)
        close(sockets[slot]);
    if (fd >= 0)
        sockets[slot] = fd;
}

static void answer(long result)
{
    if (result < 0)
        printf("= %s\n", strerrorname_np(errno));
    else
        printf("= %ld\n", result);
}

static socklen_t read_address(const char *text, int port, struct sockaddr_storage *into)
{
    struct sockaddr_in *four = (void *)into;
    struct sockaddr_in6 *six = (void *)into;
    memset(into, 0, sizeof *into);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET, four->sin_port = htons(port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
        exit(2);
    six->sin6_family = AF_INET6, six->sin6_port = htons(port);
    return sizeof *six;
}

static const char *show_address(const struct sockaddr_storage *address)
{
    static char text[2][96];
    static int turn;
    char ip[64] = "?", *into = text[turn ^= 1];
    int port = 0;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)address)->sin_addr, ip, sizeof ip);
        port = ntohs(((struct sockaddr_in *)address)->sin_port);
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)address)->sin6_addr, ip, sizeof ip);
        port = ntohs(((struct sockaddr_in6 *)address)->sin6_port);
    }
    if (port >= FIRST_CHOSEN)
        snprintf(into, sizeof text[0], "%s some", ip);
    else
        snprintf(into, sizeof text[0], "%s %d", ip, port);
    return into;
}

/* What was received: how much, and what it begins and ends with. */
static void show_bytes(long count, const char *how, const char *from)
{
    if (count < 0)
        answer(count);
    else if (count == 0 || !strcmp(how, "trunc"))
        printf("= %ld%s\n", count, from);
    else
        printf("= %ld %d..%d%s\n", count, bytes[0], bytes[count - 1], from);
}

static int flag(const char *name)
{
    return !strcmp(name, "peek") ? MSG_PEEK : !strcmp(name, "trunc") ? MSG_TRUNC : !strcmp(name, "waitall") ? MSG_WAITALL : 0;
}

/* What every socket would tell without being told to: makes the calls of the library's that look at all there is. */
static void look_at_all(void)
{
    struct sockaddr_storage address;
    for (int i = 0; i < SLOTS; i++) {
        socklen_t length = sizeof address;
        if (sockets[i] >= 0)
            getpeername(sockets[i], (void *)&address, &length);
    }
}

static void serve(const char *line, int own)
{
    char verb[16], text[64], more[16];
    int slot, a, b, c;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int on = 1;
    if (sscanf(line, "socket %d %d %d", &slot, &a, &b) == 3) {
        a = socket(a == 4 ? AF_INET : AF_INET6, (b ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
        put(slot, a);
        answer(a < 0 ? -1 : 0);
    } else if (sscanf(line, "bind %d %63s %d", &slot, text, &a) == 3) {
        length = read_address(text, a, &address);
        answer(bind(sockets[slot], (void *)&address, length));
    } else if (sscanf(line, "listen %d %d", &slot, &a) == 2) {
        answer(listen(sockets[slot], a));
    } else if (sscanf(line, "accept %d %d", &slot, &a) == 2) {
        int accepted = accept4(sockets[slot], (void *)&address, &length, SOCK_NONBLOCK);
        if (accepted < 0)
            answer(-1);
        else
            put(a, accepted), printf("= from %s\n", show_address(&address));
    } else if (sscanf(line, "connect %d %63s %d", &slot, text, &a) == 3) {
        length = read_address(text, a, &address);
        answer(connect(sockets[slot], (void *)&address, length));
    } else if (sscanf(line, "disconnect %d", &slot) == 1) {
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        answer(connect(sockets[slot], &none, sizeof none));
    } else if (sscanf(line, "send %d %d %d", &slot, &a, &b) == 3) {
        memset(bytes, b, sizeof bytes);
        answer(send(sockets[slot], bytes, a, MSG_NOSIGNAL));
    } else if (sscanf(line, "sendto %d %63s %d %d %d", &slot, text, &a, &b, &c) == 5) {
        length = read_address(text, a, &address);
        memset(bytes, c, sizeof bytes);
        answer(sendto(sockets[slot], bytes, b, MSG_NOSIGNAL, (void *)&address, length));
    } else if (sscanf(line, "recvfrom %d %d %15s", &slot, &a, more) == 3) {
        char from[100] = "";
        memset(&address, 0, sizeof address);
        long count = recvfrom(sockets[slot], bytes, a, flag(more), (void *)&address, &length);
        if (length)
            snprintf(from, sizeof from, " from %s", show_address(&address));
        show_bytes(count, more, count < 0 ? "" : from);
    } else if (sscanf(line, "recv %d %d %15s", &slot, &a, more) == 3) {
        show_bytes(recv(sockets[slot], bytes, a, flag(more)), more, "");
    } else if (sscanf(line, "shutdown %d %d", &slot, &a) == 2) {
        answer(shutdown(sockets[slot], a));
    } else if (sscanf(line, "close %d", &slot) == 1) {
        answer(close(sockets[slot]));
        sockets[slot] = -1;
    } else if (sscanf(line, "reset %d", &slot) == 1) {
        struct linger now = { 1, 0 };
        setsockopt(sockets[slot], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        answer(close(sockets[slot]));
        sockets[slot] = -1;
    } else if (sscanf(line, "set %d %d %d %d", &slot, &a, &b, &c) == 4) {
        answer(setsockopt(sockets[slot], a, b, &c, sizeof c));
    } else if (sscanf(line, "get %d %d %d", &slot, &a, &b) == 3) {
        length = sizeof c;
        long result = getsockopt(sockets[slot], a, b, &c, &length);
        if (result < 0)
            answer(-1);
        else if (a == SOL_SOCKET && b == SO_ERROR)
            printf("= %s\n", c ? strerrorname_np(c) : "0");
        else
            printf("= %d\n", c);
    } else if (sscanf(line, "name %d", &slot) == 1) {
        if (getsockname(sockets[slot], (void *)&address, &length) < 0)
            answer(-1);
        else
            printf("= %s\n", show_address(&address));
    } else if (sscanf(line, "peer %d", &slot) == 1) {
        if (getpeername(sockets[slot], (void *)&address, &length) < 0)
            answer(-1);
        else
            printf("= %s\n", show_address(&address));
    } else if (sscanf(line, "poll %d", &slot) == 1) {
        struct pollfd look = { sockets[slot], POLLIN | POLLOUT | POLLRDHUP, 0 };
        poll(&look, 1, 0);
        /* No slot has no socket: poll would overlook it. */
        printf(sockets[slot] < 0 ? "= EBADF\n" : "= %x\n", look.revents);
    } else if (sscanf(line, "waiting %d", &slot) == 1) {
        int count = 0;
        long result = ioctl(sockets[slot], FIONREAD, &count);
        answer(result < 0 ? result : count);
    } else if (sscanf(line, "ping %63s %d", text, &a) == 2) {
        look_at_all();
        length = read_address(text, a, &address);
        answer(sendto(own, &on, sizeof on, 0, (void *)&address, length));
    } else if (!strcmp(line, "pong\n")) {
        long count = recvfrom(own, &on, sizeof on, 0, (void *)&address, &length);
        look_at_all();
        answer(count < 0 ? count : sendto(own, &on, sizeof on, 0, (void *)&address, length));
    } else if (!strcmp(line, "pinged\n")) {
        long count = recv(own, &on, sizeof on, 0);
        look_at_all();
        answer(count);
    } else if (sscanf(line, "%15s", verb) == 1) {
        printf("= what is %s?\n", verb);
    }
}

int main(void)
{
    char line[256], text[64];
    struct sockaddr_storage address;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SLOTS; i++)
        sockets[i] = -1;
    if (!fgets(line, sizeof line, stdin) || sscanf(line, "own %63s", text) != 1)
        return 2;
    int own = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t length = read_address(text, 0, &address);
    if (own < 0 || bind(own, (void *)&address, length) < 0 || getsockname(own, (void *)&address, &length) < 0)
        return 3;
    printf("= %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
    while (fgets(line, sizeof line, stdin))
        serve(line, own);
    return 0;
}
