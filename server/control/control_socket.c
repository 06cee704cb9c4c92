#include "control_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE 16                             /* connections that wait to be accepted */
#define OTHERS (S_IRWXG | S_IRWXO | S_IXUSR) /* the permissions that nobody gets: 0600 is left */

static enum status control_socket_fail(const char *what, const char *path, struct errbuf *err)
{
    int error = errno;

    errbuf_set(err, "%s: %s: %s", path, what, strerror(error));
    return status_from_errno(error);
}

/* Makes room for the name. The directory is the server's own, so nobody puts something else there
 * between the look and the removal. */
static enum status control_socket_remove_stale(const char *path, struct errbuf *err)
{
    struct stat found;

    if (lstat(path, &found) < 0)
        return errno == ENOENT ? STATUS_OK : control_socket_fail("lstat", path, err);
    if (!S_ISSOCK(found.st_mode)) {
        errbuf_set(err, "%s: is not a socket; it is left alone", path);
        return STATUS_INVALID;
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return control_socket_fail("unlink", path, err);
    return STATUS_OK;
}

/* bind() takes the permissions from the umask alone; a chmod() after it would come too late. */
static int control_socket_bind(int fd, const struct sockaddr_un *address)
{
    mode_t umask_before = umask(OTHERS);
    int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    int error = errno;

    (void)umask(umask_before);
    errno = error;
    return result;
}

/* Gives the open socket its name, and listens. */
static enum status control_socket_listen(struct control_socket *socket,
                                         const struct sockaddr_un *address, struct errbuf *err)
{
    struct stat made;

    if (control_socket_bind(socket->fd, address) < 0)
        return control_socket_fail("bind", socket->path, err);
    if (lstat(socket->path, &made) < 0)
        return control_socket_fail("lstat", socket->path, err);
    socket->device = made.st_dev;
    socket->inode = made.st_ino;
    if (listen(socket->fd, QUEUE) < 0) {
        enum status status = control_socket_fail("listen", socket->path, err);
        (void)unlink(socket->path);
        return status;
    }
    return STATUS_OK;
}

enum status control_socket_open(const char *path, struct control_socket *out, struct errbuf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t size = strlen(path);

    *out = (struct control_socket){.path = path, .fd = -1};
    if (size >= sizeof(address.sun_path)) {
        errbuf_set(err, "%s: the path is too long for a socket: it has %zu bytes, %zu fit", path,
                   size, sizeof(address.sun_path) - 1);
        return STATUS_INVALID;
    }
    memcpy(address.sun_path, path, size);
    enum status status = control_socket_remove_stale(path, err);
    if (status != STATUS_OK)
        return status;
    out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0)
        return control_socket_fail("socket", path, err);
    status = control_socket_listen(out, &address, err);
    if (status != STATUS_OK) {
        (void)close(out->fd);
        out->fd = -1;
    }
    return status;
}

void control_socket_close(struct control_socket *socket)
{
    struct stat found;

    if (socket->fd < 0)
        return;
    /* Another one may have taken the place meanwhile. */
    if (lstat(socket->path, &found) == 0 && found.st_dev == socket->device &&
        found.st_ino == socket->inode)
        (void)unlink(socket->path);
    (void)close(socket->fd);
    socket->fd = -1;
}

bool control_socket_peer(int fd, uint32_t *out_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    *out_uid = peer.uid;
    return true;
}
