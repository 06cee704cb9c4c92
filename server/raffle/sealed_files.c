#include "sealed_files.h"

#include "signed_note.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum status sealed_file_write(const struct file_ops *ops, int fd, const struct buffer *bytes,
                              const char *name, struct errbuf *err)
{
    struct iovec part = {bytes->data, bytes->size};

    enum status status = file_write(ops, fd, &part, 1, 0);
    if (status == STATUS_OK && ops->fdatasync(fd) < 0)
        status = STATUS_IO;
    return status == STATUS_OK ? STATUS_OK : file_fail(err, name, status);
}

static enum status sealed_file_append(const struct file_ops *ops, int fd, size_t size,
                                      struct buffer *out)
{
    size_t got = 0;

    enum status status = buffer_reserve(out, size);
    if (status == STATUS_OK && size > 0)
        status = file_read(ops, fd, out->data + out->size, size, 0, &got);
    if (status == STATUS_OK)
        out->size += got;
    return status;
}

enum status sealed_file_read(const struct data_dir *data_dir, const char *name, size_t size_max,
                             struct buffer *out, struct errbuf *err)
{
    uint64_t size;
    int fd;

    enum status status = file_open(data_dir->ops, data_dir->fd, name, &fd, &size, err);
    if (status != STATUS_OK)
        return status;
    status = size <= size_max ? sealed_file_append(data_dir->ops, fd, (size_t)size, out)
                              : STATUS_DAMAGED;
    (void)close(fd);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, name, status);
}

enum status sealed_note_sign(int key_dir_fd, const char *key_path, const char *text, size_t size,
                             struct buffer *out, struct errbuf *err)
{
    struct seal_key *key = NULL;

    enum status status = seal_key_load(key_dir_fd, key_path, &key, err);
    if (status != STATUS_OK)
        return status;
    status = seal_key_sign(key, (struct text){text, size}, out);
    seal_key_destroy(key);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, "signing the note", status);
}

/* Is the signature right, if it is this key's? */
static enum status sealed_note_verify(int key_dir_fd, const char *key_path,
                                      const struct signed_note *note, struct errbuf *reason)
{
    struct seal_key *key = NULL;
    struct errbuf ignored;
    enum status status;

    if (seal_key_load(key_dir_fd, key_path, &key, &ignored) != STATUS_OK)
        return STATUS_OK; /* who needs the key to sign says so */
    status = signed_note_verify(note, seal_key_public(key), reason);
    seal_key_destroy(key);
    if (status == STATUS_NOTFOUND)
        return STATUS_OK;
    return status == STATUS_MISMATCH ? STATUS_DAMAGED : status;
}

enum status sealed_note_check(const struct data_dir *data_dir, const char *name, int key_dir_fd,
                              const char *key_path, const char *text, size_t size,
                              struct errbuf *err)
{
    struct buffer bytes = {0};
    struct signed_note note;
    struct errbuf reason = {{0}};

    enum status status = sealed_file_read(data_dir, name, SIGNED_NOTE_MAX, &bytes, err);
    if (status == STATUS_OK &&
        signed_note_parse((struct text){bytes.data, bytes.size}, &note, &reason) != STATUS_OK) {
        errbuf_set(err, "%s: %s", name, reason.text);
        status = STATUS_DAMAGED;
    } else if (status == STATUS_OK &&
               (note.text.size != size || memcmp(note.text.data, text, size) != 0)) {
        errbuf_set(err, "%s: does not say what is on record", name);
        status = STATUS_DAMAGED;
    } else if (status == STATUS_OK) {
        status = sealed_note_verify(key_dir_fd, key_path, &note, &reason);
        if (status != STATUS_OK)
            errbuf_set(err, "%s: %s", name, reason.text);
    }
    buffer_fini(&bytes);
    return status;
}
