/* What is written into a terminal's input is read by whoever reads from it next: the shell outside, as a rule. */
#define _GNU_SOURCE
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TERMINAL_LINUX = 0x541C /* TIOCLINUX */, PASTE = 3 };

/* A terminal of our own stands for the one that the program was started from. */
void by_terminal(void) {
    int keyboard = posix_openpt(O_RDWR | O_NOCTTY);
    if (keyboard < 0 || grantpt(keyboard) != 0 || unlockpt(keyboard) != 0)
        return report("terminal", "nothing was tried: there is no terminal");
    pid_t child = fork();
    if (child == 0) {
        setsid();
        int terminal = open(ptsname(keyboard), O_RDWR);
        char typed = 'x';
        int written = ioctl(terminal, TIOCSTI, &typed) == 0;
        /* With an upper half that the kernel does not look at. */
        written |= syscall(SYS_ioctl, terminal, 0xffffffff00000000 | TIOCSTI, &typed) == 0;
        _exit(written);
    }
    int status = 0;
    waitpid(child, &status, 0);
    errno = 0;
    report("terminal-input", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : "a line typed for the shell outside");
    char paste = PASTE;
    ioctl(keyboard, TERMINAL_LINUX, &paste);
    report("terminal-paste", errno == EPERM ? NULL : "the console's selection");
    close(keyboard);
}
