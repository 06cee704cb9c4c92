/* Forked processes as events of a loop.
 *
 * Happy path: the child holds the only writing end of a pipe, and nobody writes; when it ends, the
 * kernel closes the pipe, which the loop sees; waitpid then waits no longer than the kernel needs
 * for the rest of the child's end.
 *
 * Failure modes: no memory, no descriptors, no process: nothing was started. The parent ends first:
 * the kernel kills the child.
 */
#include "subprocess.h"

#include "assertion.h"
#include "forked.h"
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct subprocess {
    struct subprocess_config config;
    pid_t pid;      /* 0 = it was reaped */
    int fd;         /* the reading end of the pipe */
    uv_poll_t poll; /* of fd */
};

static void subprocess_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Waits for its end. Returns its status. */
static int subprocess_reap(struct subprocess *self)
{
    int status = 0;
    pid_t pid;

    do
        pid = waitpid(self->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    ASSERT(pid == self->pid); /* nobody else reaps it */
    self->pid = 0;
    uv_close((uv_handle_t *)&self->poll, subprocess_on_closed);
    (void)close(self->fd); /* libuv stops using it within uv_close */
    return status;
}

static void subprocess_on_eof(uv_poll_t *poll, int code, int events)
{
    struct subprocess *self = poll->data;

    (void)code;
    (void)events;
    int status = subprocess_reap(self);
    self->config.on_end(self->config.owner, self, status);
}

/* In the child. */
static void subprocess_become(const struct subprocess_config *config, int pipe_end, pid_t parent)
    __attribute__((noreturn));
static void subprocess_become(const struct subprocess_config *config, int pipe_end, pid_t parent)
{
    int fds[SUBPROCESS_FDS_MAX + 1];

    forked_end_with(parent);
    /* A socket that stays open here would also stay open for its other end when the parent closes
     * it. */
    memcpy(fds, config->fds, config->fds_count * sizeof(*fds));
    fds[config->fds_count] = pipe_end;
    privileges_keep_fds(fds, config->fds_count + 1);
    _exit(config->run(config->context)); /* exit() would end what belongs to the parent */
}

/* Forks it, with the pipe whose reading end the loop watches. On failure all is freed. */
static enum status subprocess_fork(struct subprocess *self, const int ends[2], struct errbuf *err)
{
    pid_t parent = getpid();

    self->pid = fork();
    if (self->pid == 0)
        subprocess_become(&self->config, ends[1], parent);
    int error = errno;
    self->config.fds = NULL; /* they were borrowed */
    self->config.fds_count = 0;
    (void)close(ends[1]);
    if (self->pid > 0) {
        (void)uv_poll_start(&self->poll, UV_READABLE, subprocess_on_eof); /* cannot fail */
        return STATUS_OK;
    }
    errbuf_set(err, "fork: %s", strerror(error));
    uv_close((uv_handle_t *)&self->poll, subprocess_on_closed);
    (void)close(ends[0]);
    return error == ENOMEM ? STATUS_NOMEM : STATUS_IO;
}

enum status subprocess_start(const struct subprocess_config *config, struct subprocess **out,
                             struct errbuf *err)
{
    int ends[2];
    struct subprocess *self = calloc(1, sizeof(*self));

    ASSERT(config->loop != NULL && config->run != NULL && config->on_end != NULL);
    ASSERT(config->fds_count <= SUBPROCESS_FDS_MAX);
    if (self == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    self->config = *config;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        errbuf_set(err, "pipe: %s", strerror(errno));
        free(self);
        return STATUS_IO;
    }
    self->fd = ends[0];
    self->poll.data = self;
    int code = uv_poll_init(config->loop, &self->poll, self->fd);
    if (code < 0) {
        errbuf_set(err, "poll: %s", uv_strerror(code));
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(self);
        return STATUS_IO;
    }
    enum status status = subprocess_fork(self, ends, err);
    if (status == STATUS_OK)
        *out = self;
    return status;
}

void subprocess_kill(struct subprocess *subprocess)
{
    if (subprocess == NULL)
        return;
    ASSERT(subprocess->pid > 0);
    (void)kill(subprocess->pid, SIGKILL);
    (void)subprocess_reap(subprocess);
}

pid_t subprocess_pid(const struct subprocess *subprocess)
{
    return subprocess->pid;
}
