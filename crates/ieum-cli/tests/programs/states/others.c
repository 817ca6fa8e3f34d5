/* Descriptors that are none, or none of a socket of the internet. */
#include "states.h"

#include <sys/mman.h>

static void closed(struct subject *s)
{
    int fd = make_at(&s->of->own, SOCK_STREAM);
    /* A number that nobody is given meanwhile: new ones are the lowest that are free. */
    s->fd = fcntl(fd, F_DUPFD_CLOEXEC, fd + 100);
    must(s->fd >= 0, "a descriptor is copied");
    close(s->fd);
    close(fd);
}

static void epoll(struct subject *s)
{
    s->fd = epoll_create1(EPOLL_CLOEXEC);
    must(s->fd >= 0, "an epoll is made");
}

static void pipe_both(struct subject *s, int own)
{
    int ends[2];
    must(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "a pipe is made");
    s->fd = ends[own];
    s->far = ends[!own];
}

static void pipe_out(struct subject *s) { pipe_both(s, 0); }
static void pipe_in(struct subject *s) { pipe_both(s, 1); }

static void file(struct subject *s)
{
    s->fd = memfd_create("file", MFD_CLOEXEC);
    must(s->fd >= 0, "a file is made");
}

static void unix_fresh(struct subject *s)
{
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(s->fd >= 0, "a socket is made");
}

static void unix_pair(struct subject *s)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "a pair is made");
    s->fd = ends[0];
    s->far = ends[1];
}

const struct state OTHERS_STATES[] = {
    { "closed-descriptor", closed }, { "epoll", epoll }, { "pipe-out", pipe_out }, { "pipe-in", pipe_in }, { "file", file },
    { "unix", unix_fresh }, { "unix-pair", unix_pair },
};
/* All but the first are the kernel's. */
const size_t OTHERS_STATE_COUNT = NUMBERS_ARE_FILES ? sizeof OTHERS_STATES / sizeof *OTHERS_STATES : 1;
