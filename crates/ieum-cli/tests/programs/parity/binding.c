/* Ports and addresses: in use, shared, free again, not ours. */
#include "parity.h"

static int with(int type, int option)
{
    int fd = make(type), one = 1;
    if (option)
        must(setsockopt(fd, SOL_SOCKET, option, &one, sizeof one) == 0, "an option is taken");
    return fd;
}

/* Binds two sockets to one port, each with an option (or 0), and says what the second is told. */
static void twice(const char *name, int type, const char *first_ip, const char *second_ip, int option, bool listens)
{
    int first = with(type, option), second = with(type, option);
    char label[128];
    must(bind_to(first, first_ip, 0) == 0, "a free port is bound");
    if (listens)
        must(listen(first, 4) == 0, "the first listens");
    int result = bind_to(second, second_ip, port_of(first));
    line(name, result);
    if (result == 0 && type == SOCK_STREAM) {
        snprintf(label, sizeof label, "%s.then-listen", name);
        line(label, listen(second, 4));
        snprintf(label, sizeof label, "%s.first-listens-too", name);
        line(label, listen(first, 4));
    }
    close(first);
    close(second);
}

static void in_use(void)
{
    static const struct { const char *name; int type; } KINDS[] = { { "stream", SOCK_STREAM }, { "datagram", SOCK_DGRAM } };
    static const struct { const char *name; int option; } OPTIONS[] = {
        { "plain", 0 }, { "reuseaddr", SO_REUSEADDR }, { "reuseport", SO_REUSEPORT },
    };
    static const struct { const char *name, *first, *second; } ADDRESSES[] = {
        { "same", "127.0.0.1", "127.0.0.1" }, { "any-then-one", "0.0.0.0", "127.0.0.1" },
        { "one-then-any", "127.0.0.1", "0.0.0.0" }, { "different", "127.0.0.1", OWN },
    };
    for (size_t k = 0; k < 2; k++)
        for (size_t o = 0; o < 3; o++)
            for (size_t a = 0; a < 4; a++)
                for (int listens = 0; listens < (KINDS[k].type == SOCK_STREAM ? 2 : 1); listens++) {
                    char name[96];
                    snprintf(name, sizeof name, "port-in-use.%s.%s.%s%s", KINDS[k].name, OPTIONS[o].name,
                             ADDRESSES[a].name, listens ? ".listening" : "");
                    twice(name, KINDS[k].type, ADDRESSES[a].first, ADDRESSES[a].second, OPTIONS[o].option, listens);
                }
}

static void free_again(void)
{
    int fd = make(SOCK_STREAM);
    must(bind_to(fd, "127.0.0.1", 0) == 0, "a free port is bound");
    int port = port_of(fd);
    close(fd);
    fd = make(SOCK_STREAM);
    line("port-free-again.bound", bind_to(fd, "127.0.0.1", port));
    must(listen(fd, 4) == 0, "it listens");
    close(fd);
    fd = make(SOCK_STREAM);
    line("port-free-again.listened", bind_to(fd, "127.0.0.1", port));
    close(fd);

    /* A connection whose server closes first leaves TIME-WAIT on the server's port. */
    for (int option = 0; option < 2; option++) {
        int listening = with(SOCK_STREAM, option ? SO_REUSEADDR : 0);
        must(bind_to(listening, "127.0.0.1", 0) == 0 && listen(listening, 4) == 0, "a port listens");
        port = port_of(listening);
        int client = make_blocking(SOCK_STREAM);
        must(connect_to(client, "127.0.0.1", port) == 0, "a connection is made");
        int server = take(listening);
        close(listening);
        close(server);
        settle(client, POLLRDHUP);
        char end;
        must(read(client, &end, 1) == 0, "the server has finished");
        close(client);
        fd = with(SOCK_STREAM, option ? SO_REUSEADDR : 0);
        line(option ? "port-in-time-wait.reuseaddr" : "port-in-time-wait.plain", bind_to(fd, "127.0.0.1", port));
        close(fd);
    }

    /* A connection that still lives keeps its port from those who do not share. */
    int listening = listener();
    port = port_of(listening);
    int client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port) == 0, "a connection is made");
    int server = take(listening);
    close(listening);
    fd = make(SOCK_STREAM);
    line("port-of-a-connection", bind_to(fd, "127.0.0.1", port));
    close(fd);
    close(client);
    close(server);
}

static void privileged(void)
{
    int fd = make(SOCK_STREAM);
    line("bind-port-80", bind_to(fd, "127.0.0.1", 80));
    close(fd);
}

static void not_ours(void)
{
    int fd = make(SOCK_STREAM);
    line("bind-not-ours.stream", bind_to(fd, "192.0.2.9", 0));
    close(fd);
    fd = make(SOCK_DGRAM);
    line("bind-not-ours.datagram", bind_to(fd, "192.0.2.9", 0));
    close(fd);
    fd = make(SOCK_STREAM);
    line("bind-own", bind_to(fd, OWN, 0));
    close(fd);
    fd = make(SOCK_STREAM);
    line("bind-loopback-other", bind_to(fd, "127.9.9.9", 0));
    close(fd);
}

static void wrong_arguments(void)
{
    int fd = make(SOCK_STREAM);
    struct sockaddr_in at = address("127.0.0.1", 0);
    line("bind-short-address", bind(fd, (struct sockaddr *)&at, 3));
    if (POINTERS_ARE_CHECKED)
        line("bind-bad-pointer", bind(fd, (struct sockaddr *)8, sizeof at));
    at.sin_family = AF_UNIX;
    line("bind-wrong-family", bind(fd, (struct sockaddr *)&at, sizeof at));
    at.sin_family = AF_UNSPEC;
    line("bind-unspec-loopback", bind(fd, (struct sockaddr *)&at, sizeof at));
    at = address("0.0.0.0", 0);
    at.sin_family = AF_UNSPEC;
    line("bind-unspec-any", bind(fd, (struct sockaddr *)&at, sizeof at));
    close(fd);
    line("bind-closed-descriptor", bind_to(fd, "127.0.0.1", 0));
}

static void names(void)
{
    int fd = make(SOCK_STREAM);
    must(bind_to(fd, "0.0.0.0", 0) == 0, "a free port is bound");
    struct sockaddr_storage at;
    memset(&at, 0xee, sizeof at);
    socklen_t length = sizeof at;
    line("getsockname-long", getsockname(fd, (struct sockaddr *)&at, &length));
    text("getsockname-long.length", "%u", length);
    length = 4;
    memset(&at, 0xee, sizeof at);
    line("getsockname-cut", getsockname(fd, (struct sockaddr *)&at, &length));
    text("getsockname-cut.length", "%u, next byte %s", length, ((unsigned char *)&at)[4] == 0xee ? "untouched" : "written");
    length = (socklen_t)-1;
    line("getsockname-negative", getsockname(fd, (struct sockaddr *)&at, &length));
    length = sizeof at;
    if (POINTERS_ARE_CHECKED)
        line("getsockname-bad-pointer", getsockname(fd, (struct sockaddr *)8, &length));
    close(fd);
}

void binding(void)
{
    in_use();
    free_again();
    privileged();
    not_ours();
    wrong_arguments();
    names();
}
