#include "store_failure.h"

#include "log.h"

#include <sys/socket.h>
#include <unistd.h>

bool process_is_own_socket(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

void process_store_failed(const char *reason)
{
    LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    _exit(PROCESS_EXIT_STORE);
}
