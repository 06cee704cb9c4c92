/* A backup of the running draw.
 *
 * Happy path: connect; make the folder, under another name; the server says which files a copy has
 * at this moment, and has the act on record; copy them out of the data directory, in which the
 * server's socket lies; sync all of it, and give the folder its name.
 *
 * Failure modes: the server refuses, or goes away before it has answered; the disk is full; a file
 * is not what the server says; a signal comes: what was made is removed. We are killed: the folder
 * with the other name is left. The server goes away after its answer: no difference.
 */
#include "ctl_backup.h"

#include "clock.h"
#include "ctl_copy.h"
#include "ctl_show.h"
#include "ctl_target.h"
#include "ctl_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MODE 0640   /* of what the server's files have at most */
#define PROGRESS_MS 1000 /* between two lines about how far it is */
#define MB 1000000       /* bytes */

typedef Lottery__Control__V1__SnapshotFile ctl_file_message;

/* A backup that is being made. */
struct ctl_backup_job {
    int data_dir_fd; /* owned */
    struct ctl_target target;
    uint64_t bytes;   /* that were copied or written */
    uint64_t told_ms; /* when people were told last */
    bool has_told;    /* at all */
};

static volatile sig_atomic_t ctl_backup_signal; /* that has come; 0: none */

static void ctl_backup_on_signal(int number)
{
    ctl_backup_signal = number;
}

/* Those that the caller ignores, as nohup does, stay ignored. They are blocked until the server has
 * answered, but for the waits, whose mask is *out_waiting: so none is missed. */
static void ctl_backup_watch_signals(sigset_t *out_waiting)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = ctl_backup_on_signal};
    struct sigaction before;
    sigset_t ends;

    (void)sigemptyset(&ends);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&ends, numbers[i]);
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &ends, out_waiting);
}

/* ------------------------------------------------------------------ how far it is */

/* Says it, on a terminal, when it takes long. */
static bool ctl_backup_on_copied(void *owner, uint64_t size)
{
    struct ctl_backup_job *job = owner;
    const uint64_t now_ms = clock_monotonic_ms();

    job->bytes += size;
    if (now_ms - job->told_ms >= PROGRESS_MS && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\rcopied %" PRIu64 " MB", job->bytes / MB);
        job->told_ms = now_ms;
        job->has_told = true;
    }
    return ctl_backup_signal == 0;
}

static void ctl_backup_end_progress(const struct ctl_backup_job *job)
{
    if (job->has_told)
        (void)fputc('\n', stderr);
}

/* ------------------------------------------------------------------ files */

/* Opens what is to be copied; *out_size says how much of it. */
static enum status ctl_backup_open(const struct ctl_backup_job *job, const ctl_file_message *file,
                                   int *out_fd, struct stat *info, uint64_t *out_size,
                                   struct errbuf *err)
{
    const bool is_growing =
        file->source == LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_BEGINNING;

    enum status status = ctl_copy_open(job->data_dir_fd, file->name, out_fd, info, err);
    if (status != STATUS_OK)
        return status;
    *out_size = is_growing ? file->size : (uint64_t)info->st_size;
    if (!is_growing || (info->st_dev == file->device && info->st_ino == file->inode))
        return STATUS_OK;
    (void)close(*out_fd);
    errbuf_set(err,
               "%.200s: it is not the file that the server writes: its socket has to be "
               "named by its place in the data directory",
               file->name);
    return STATUS_INVALID;
}

/* Syncs a file of the copy, and closes it; after `status`, which it returns, or what has failed. */
static enum status ctl_backup_end_file(int fd, const char *name, enum status status,
                                       struct errbuf *err)
{
    if (status == STATUS_OK && fsync(fd) < 0) {
        errbuf_set(err, "%s", strerror(errno));
        status = status_from_errno(errno);
    }
    (void)close(fd);
    if (status != STATUS_OK)
        errbuf_wrap(err, "%.200s", name);
    return status;
}

static enum status ctl_backup_copy_file(struct ctl_backup_job *job, const ctl_file_message *file,
                                        struct errbuf *err)
{
    const bool may_lack = file->source == LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_IF_ANY;
    const struct ctl_progress progress = {ctl_backup_on_copied, job};
    struct stat info;
    uint64_t size;
    int from;
    int to;

    enum status status = ctl_backup_open(job, file, &from, &info, &size, err);
    if (status != STATUS_OK)
        return status == STATUS_NOTFOUND && may_lack ? STATUS_OK : status;
    status = ctl_target_make_file(&job->target, file->name, info.st_mode & FILE_MODE, &to, err);
    if (status == STATUS_OK) {
        status = ctl_copy_bytes(from, to, size, &progress, err);
        status = ctl_backup_end_file(to, file->name, status, err);
    }
    (void)close(from);
    return status;
}

/* Writes the file whose content is in the first of the files, and in those that follow with the
 * same name. *out_count says in how many. */
static enum status ctl_backup_write_file(struct ctl_backup_job *job, const struct ctl_file *files,
                                         size_t count, size_t *out_count, struct errbuf *err)
{
    const char *name = files[0].message->name;
    size_t i;
    int to;

    enum status status = ctl_target_make_file(&job->target, name, FILE_MODE, &to, err);
    if (status != STATUS_OK)
        return status;
    for (i = 0; i < count && status == STATUS_OK && strcmp(files[i].message->name, name) == 0;
         i++) {
        const ProtobufCBinaryData *content = &files[i].message->content;
        status = ctl_copy_write(to, content->data, content->len, err);
        job->bytes += content->len;
    }
    *out_count = i;
    return ctl_backup_end_file(to, name, status, err);
}

static enum status ctl_backup_make_files(struct ctl_backup_job *job,
                                         const struct ctl_answer *answer, struct errbuf *err)
{
    enum status status = STATUS_OK;
    size_t count;

    for (size_t i = 0; i < answer->files_count && status == STATUS_OK; i += count) {
        const ctl_file_message *file = answer->files[i].message;
        count = 1;
        switch ((int)file->source) {
        case LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_CONTENT:
            status =
                ctl_backup_write_file(job, &answer->files[i], answer->files_count - i, &count, err);
            break;
        case LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_BEGINNING:
        case LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_WHOLE:
        case LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_IF_ANY:
            status = ctl_backup_copy_file(job, file, err);
            break;
        default:
            errbuf_set(err, "%.200s: this release does not know how to copy it", file->name);
            status = STATUS_INVALID;
        }
    }
    return status;
}

/* ------------------------------------------------------------------ the whole */

/* Opens the folder in which the socket lies. */
static enum status ctl_backup_open_data_dir(const char *socket, int *out_fd, struct errbuf *err)
{
    const char *slash = strrchr(socket, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - socket) + 1;
    char *folder = slash == NULL ? strdup(".") : strndup(socket, size);

    if (folder == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    *out_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = *out_fd < 0 ? status_from_errno(errno) : STATUS_OK;
    if (status != STATUS_OK)
        errbuf_set(err, "%.300s: %s", folder, strerror(errno));
    free(folder);
    return status;
}

/* Asks the server what to copy, and copies it. */
static enum status ctl_backup_run(struct ctl_backup_job *job, struct ctl_link *link,
                                  struct ctl_answer *answer, struct errbuf *err)
{
    Lottery__Control__V1__Backup message;

    lottery__control__v1__backup__init(&message);
    enum status status = ctl_ask(link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP, &message.base,
                                 CTL_NO_LIMIT, answer, err);
    (void)sigprocmask(SIG_SETMASK, link->mask, NULL);
    ctl_link_close(link);
    if (status == STATUS_OK && answer->snapshot == NULL) {
        errbuf_set(err, "%s: %s", link->path, status_text(STATUS_MALFORMED));
        status = STATUS_MALFORMED;
    }
    if (status == STATUS_OK)
        status = ctl_backup_make_files(job, answer, err);
    if (status == STATUS_OK && ctl_backup_signal != 0)
        status = STATUS_STOPPED;
    if (status == STATUS_OK)
        status = ctl_target_finish(&job->target, err);
    if (status != STATUS_OK && status != STATUS_UNCERTAIN)
        ctl_target_discard(&job->target);
    ctl_backup_end_progress(job);
    return status;
}

/* Says how it has ended. */
static int ctl_backup_end(const struct ctl_options *options, const struct ctl_backup_job *job,
                          const struct ctl_answer *answer, enum status status,
                          const struct errbuf *err)
{
    const struct ctl_backup backup = {job->target.path, answer->snapshot, job->bytes};

    if (status != STATUS_OK && ctl_backup_signal != 0) {
        (void)signal(ctl_backup_signal, SIG_DFL);
        (void)raise(ctl_backup_signal);
    }
    if (status != STATUS_OK)
        return ctl_fail(err->text);
    if (answer->result->reason[0] != '\0')
        (void)ctl_fail(answer->result->reason); /* it is only said */
    return ctl_finish(ctl_show_backup(stdout, &backup, options->is_json));
}

int ctl_backup(const struct ctl_options *options, const char *dir)
{
    struct ctl_backup_job job = {.data_dir_fd = -1, .told_ms = clock_monotonic_ms()};
    struct ctl_answer answer = {.result = NULL};
    struct errbuf err = {{0}};
    struct ctl_link link;
    sigset_t waiting;

    ctl_link_init(&link, options->path);
    enum status status = ctl_link_open(&link, &err);
    if (status != STATUS_OK)
        return ctl_fail(err.text);
    ctl_backup_watch_signals(&waiting);
    link.mask = &waiting;
    status = ctl_backup_open_data_dir(options->path, &job.data_dir_fd, &err);
    if (status == STATUS_OK)
        status = ctl_target_create(&job.target, dir, job.data_dir_fd, &err);
    if (status == STATUS_OK) {
        status = ctl_backup_run(&job, &link, &answer, &err);
        ctl_target_close(&job.target);
    }
    ctl_link_close(&link);
    if (job.data_dir_fd >= 0)
        (void)close(job.data_dir_fd);
    int exit_status = ctl_backup_end(options, &job, &answer, status, &err);
    ctl_answer_fini(&answer);
    return exit_status;
}
