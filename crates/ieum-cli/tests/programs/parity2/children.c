/* Sockets and children that are made by vfork and posix_spawn: what they inherit, and what is closed on exec. */
#include "parity2.h"

#include <spawn.h>

extern char **environ;

/* The program itself, told what to do with a descriptor. */
static char **words(char *what, int fd)
{
    static char number[16];
    static char *all[4];
    snprintf(number, sizeof number, "%d", fd);
    all[0] = "parity2", all[1] = what, all[2] = number, all[3] = NULL;
    return all;
}

static int ended(pid_t child)
{
    int status = -1;
    must(waitpid(child, &status, 0) == child, "the child ends");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void spawned(void)
{
    struct pair both = connected();
    posix_spawn_file_actions_t actions;
    pid_t child;
    char into[64] = { 0 };
    must(posix_spawn_file_actions_init(&actions) == 0, "actions are made");
    /* Under another number: the far end reads what the child says. */
    posix_spawn_file_actions_adddup2(&actions, both.server, 50);
    posix_spawn_file_actions_addclose(&actions, both.server);
    blocking(both.server, true);
    line2("spawned", "start", -posix_spawn(&child, "/proc/self/exe", &actions, NULL, words("say", 50), environ));
    line2("spawned", "code", ended(child));
    settle(both.client, POLLIN);
    line2("spawned", "read", recv(both.client, into, sizeof into - 1, 0));
    text2("spawned", "said", "%s", into);
    text2("spawned", "open-still", "%s", mask(both.client));
    posix_spawn_file_actions_destroy(&actions);
    close(both.server);
    text2("spawned", "closed", "%s", settle(both.client, POLLIN | POLLRDHUP));
    close(both.client);
}

static void vforked(void)
{
    struct pair both = connected();
    char into[64] = { 0 }, **all = words("say", both.server);
    blocking(both.server, true);
    pid_t child = vfork();
    if (child == 0) {
        execve("/proc/self/exe", all, environ);
        _exit(99);
    }
    close(both.server);
    line2("vforked", "code", ended(child));
    text2("vforked", "end", "%s", settle(both.client, POLLIN | POLLRDHUP));
    line2("vforked", "read", recv(both.client, into, sizeof into - 1, 0));
    text2("vforked", "said", "%s", into);
    line2("vforked", "over", recv(both.client, into, sizeof into, 0));
    close(both.client);
}

static void closed_on_exec(void)
{
    int listening = listener(), client = make_blocking(SOCK_STREAM);
    must(connect_to(client, "127.0.0.1", port_of(listening)) == 0, "it connects");
    settle(listening, POLLIN);
    int server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    line2("closed-on-exec", "flag", fcntl(server, F_GETFD));
    char **all = words("say", server);
    pid_t child = vfork();
    if (child == 0) {
        execve("/proc/self/exe", all, environ);
        _exit(99);
    }
    line2("closed-on-exec", "code", ended(child));
    close(server);
    text2("closed-on-exec", "end", "%s", settle(client, POLLIN | POLLRDHUP));
    close(client);
    close(listening);
}

void children(void)
{
    spawned();
    vforked();
    closed_on_exec();
}
