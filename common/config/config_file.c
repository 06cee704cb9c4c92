/* Reading a settings file.
 *
 * Happy path: open, read until the end, close.
 *
 * Failure modes: the path is a named pipe without a writer, or one that writes nothing: open() must
 * not block, and before each read we wait for the file and for a signal to stop. The file has no
 * end, like /dev/zero: refused at CONFIG_FILE_MAX.
 */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STEP 4096

/* A file that is being read. */
struct config_file {
    int fd;
    int signal_fd; /* readable when a signal to stop is pending */
    char *text;    /* owned; what was read so far */
    size_t size;   /* bytes of it */
    size_t room;   /* bytes that text has room for */
};

/* Waits until there is something to read, or the end. */
static enum status config_file_wait(const struct config_file *file)
{
    struct pollfd fds[2] = {{.fd = file->fd, .events = POLLIN},
                            {.fd = file->signal_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return STATUS_IO;
    }
    return fds[1].revents != 0 ? STATUS_STOPPED : STATUS_OK;
}

/* Makes room for another step, and for a NUL. */
static enum status config_file_grow(struct config_file *file)
{
    if (file->size + STEP < file->room)
        return STATUS_OK;
    if (file->size > CONFIG_FILE_MAX)
        return STATUS_INVALID;
    size_t room = 2 * file->room + STEP + 1;
    char *text = realloc(file->text, room);
    if (text == NULL)
        return STATUS_NOMEM;
    file->text = text;
    file->room = room;
    return STATUS_OK;
}

/* Reads the next piece; *is_end when there is none. */
static enum status config_file_step(struct config_file *file, bool *is_end)
{
    enum status status = config_file_grow(file);
    if (status == STATUS_OK)
        status = config_file_wait(file);
    if (status != STATUS_OK)
        return status;
    ssize_t count = read(file->fd, file->text + file->size, STEP);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? STATUS_OK : STATUS_IO;
    file->size += (size_t)count;
    *is_end = count == 0;
    return STATUS_OK;
}

static int config_file_open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static enum status config_file_read_all(struct config_file *file)
{
    enum status status = STATUS_OK;
    bool is_end = false;

    file->signal_fd = config_file_open_signals();
    if (file->signal_fd < 0)
        return STATUS_IO;
    while (status == STATUS_OK && !is_end)
        status = config_file_step(file, &is_end);
    int error = errno;
    (void)close(file->signal_fd);
    errno = error;
    return status;
}

static void config_file_explain(const char *path, enum status status, struct errbuf *err)
{
    if (status == STATUS_IO)
        errbuf_set(err, "%s: %s", path, strerror(errno));
    else if (status == STATUS_INVALID)
        errbuf_set(err, "%s: longer than %d bytes", path, CONFIG_FILE_MAX);
    else
        errbuf_set(err, "%s: %s", path, status_text(status));
}

enum status config_file_read(const char *path, bool must_exist, char **out_text, size_t *out_size,
                             struct errbuf *err)
{
    struct config_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};

    if (file.fd < 0 && errno == ENOENT && !must_exist)
        return STATUS_NOTFOUND;
    enum status status = file.fd < 0 ? STATUS_IO : config_file_read_all(&file);
    if (status != STATUS_OK)
        config_file_explain(path, status, err);
    if (file.fd >= 0)
        (void)close(file.fd);
    if (status != STATUS_OK) {
        free(file.text);
        return status;
    }
    file.text[file.size] = '\0';
    *out_text = file.text;
    *out_size = file.size;
    return STATUS_OK;
}
