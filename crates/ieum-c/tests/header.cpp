// The header in C++, with a call that needs the library.
#include <cstdio>

#include "ieum.h"

int main()
{
    int network = ieum_network_new();
    int answer = ieum_close(network) == 0 && ieum_close(network) == -1;
    std::printf("%d\n", answer);
    return answer ? 0 : 1;
}
