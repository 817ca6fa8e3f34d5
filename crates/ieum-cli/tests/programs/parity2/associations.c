/* Datagram sockets whose remote changes: what waits to be read is still there, from whom it came, after connect to another remote and
 * after connect to AF_UNSPEC. */
#include "parity2.h"

enum { MANY = 14 };

struct parties { int receiver, one, other, beside; };

static int bound(void)
{
    int fd = make_blocking(SOCK_DGRAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    return fd;
}

/* One whose port is asked for by its number stays there when its association is dissolved. */
static int bound_firmly(void)
{
    int before = bound(), port = port_of(before), fd = make_blocking(SOCK_DGRAM);
    close(before);
    must(bind_to(fd, "127.0.0.1", port) == 0, "a port that was free is bound");
    return fd;
}

static void tell(int from, int to, const char *bytes)
{
    struct sockaddr_in at = address("127.0.0.1", port_of(to));
    must(sendto(from, bytes, strlen(bytes), 0, (struct sockaddr *)&at, sizeof at) == (ssize_t)strlen(bytes), "a datagram is sent");
}

/* Sends to the receiver, and comes back when it has arrived: so has what the same socket sent before to somebody who has it. */
static void arrive(struct parties *of, int from, const char *bytes)
{
    char into[8];
    tell(from, of->receiver, bytes);
    tell(from, of->beside, "there");
    settle(of->beside, POLLIN);
    must(recv(of->beside, into, sizeof into, 0) == 5, "somebody else has his");
}

/* What waits, in its order, and whose it is. */
static void read_some(struct parties *of, const char *name, int count)
{
    char all[256] = "", into[8];
    for (int i = 0; i < count; i++) {
        struct sockaddr_in from = { 0 };
        socklen_t length = sizeof from;
        long got = recvfrom(of->receiver, into, sizeof into, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        const char *whose = ntohs(from.sin_port) == port_of(of->one) ? "one" : ntohs(from.sin_port) == port_of(of->other) ? "other" : "?";
        size_t end = strlen(all);
        if (got < 0)
            snprintf(all + end, sizeof all - end, "%s ", errno_name(errno));
        else
            snprintf(all + end, sizeof all - end, "%.*s of %s, ", (int)got, into, whose);
    }
    text2("associations", name, "%s", all);
}

static int closed_datagram_port(void)
{
    int fd = bound(), port = port_of(fd);
    close(fd);
    return port;
}

static int turn_to(struct parties *of, int remote)
{
    return connect_to(of->receiver, "127.0.0.1", port_of(remote));
}

/* A refusal waits to be told whatever the socket is connected to meanwhile. */
static void refused_before(const char *which, int again)
{
    char into[8];
    int fd = make(SOCK_DGRAM), other = bound();
    struct sockaddr_in to = address("127.0.0.1", port_of(other));
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    must(connect_to(fd, "127.0.0.1", closed_datagram_port()) == 0 && send(fd, "a", 1, 0) == 1, "a datagram is sent");
    settle(fd, POLLERR);
    line2(which, "connect", again ? connect_to(fd, "127.0.0.1", port_of(other)) : connect(fd, &none, sizeof none));
    text2(which, "poll", "%s", settle(fd, POLLERR));
    line2(which, "sendto", sendto(fd, "b", 1, 0, (struct sockaddr *)&to, sizeof to));
    line2(which, "sendto-again", sendto(fd, "c", 1, 0, (struct sockaddr *)&to, sizeof to));
    settle(other, POLLIN);
    line2(which, "came", recv(other, into, sizeof into, 0));
    text2(which, "what", "%.1s", into);
    text2(which, "so-error", "%s", errno_name(take_error(fd)));
    close(fd);
    close(other);
}

void associations(void)
{
    refused_before("refused-then-connected", 1);
    refused_before("refused-then-dissolved", 0);
    struct parties of = { bound_firmly(), bound(), bound(), bound() };
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    arrive(&of, of.one, "1");
    arrive(&of, of.other, "2");
    arrive(&of, of.one, "3");
    line("associations.connect", turn_to(&of, of.one));
    text("associations.connected", "%s", settle(of.receiver, POLLIN));
    arrive(&of, of.other, "lost");
    arrive(&of, of.one, "4");
    read_some(&of, "connected.read", 1);
    line("associations.connect-another", turn_to(&of, of.other));
    text("associations.connected-another", "%s", settle(of.receiver, POLLIN));
    arrive(&of, of.other, "5");
    read_some(&of, "connected-another.read", 2);
    line("associations.dissolve", connect(of.receiver, &none, sizeof none));
    text("associations.dissolved", "%s", settle(of.receiver, POLLIN));
    arrive(&of, of.one, "6");
    read_some(&of, "dissolved.read", 4);

    /* More than an unconnected AF_UNIX socket has room for. */
    line("associations.connect-again", turn_to(&of, of.one));
    for (int i = 0; i < MANY; i++) {
        char number[4];
        snprintf(number, sizeof number, "%d", i);
        arrive(&of, of.one, number);
    }
    line("associations.dissolve-again", connect(of.receiver, &none, sizeof none));
    arrive(&of, of.other, "last");
    read_some(&of, "dissolved-again.read", MANY + 2);

    /* Port 0 names every port of an address. */
    line("associations.connect-port-0", connect_to(of.receiver, "127.0.0.1", 0));
    arrive(&of, of.one, "7");
    arrive(&of, of.other, "8");
    read_some(&of, "port-0.read", 3);
    struct sockaddr_in peer = { 0 };
    socklen_t length = sizeof peer;
    line("associations.port-0.getpeername", getpeername(of.receiver, (struct sockaddr *)&peer, &length));
    line("associations.port-0.connect", turn_to(&of, of.one));
    arrive(&of, of.one, "9");
    read_some(&of, "port-0-connected.read", 2);
    int all[] = { of.receiver, of.one, of.other, of.beside };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
}
