/* The first program's words. */
#include "../parity/report.c"
