#include "sealed_files.h"

#include "note_file.h"
#include "signed_note.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum status sealed_file_write(const struct file_ops *ops, int fd, const struct buffer *bytes,
                              const char *name, struct errbuf *err)
{
    struct iovec part = {bytes->data, bytes->size};

    enum status status = file_write(ops, fd, &part, 1, 0);
    if (status == STATUS_OK && ops->fdatasync(fd) < 0)
        status = STATUS_IO;
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

enum status sealed_note_verify(int key_dir_fd, const char *key_path, const char *name,
                               const char *bytes, struct errbuf *err)
{
    struct seal_key *key = NULL;
    struct signed_note note;
    struct errbuf reason = {{0}};
    struct errbuf ignored;
    enum status status = STATUS_OK;

    if (signed_note_parse(text_of(bytes), &note, &reason) != STATUS_OK)
        status = STATUS_DAMAGED;
    else if (seal_key_load(key_dir_fd, key_path, &key, &ignored) == STATUS_OK)
        status = signed_note_verify(&note, seal_key_public(key), &reason);
    seal_key_destroy(key);
    if (status == STATUS_NOTFOUND)
        return STATUS_OK;
    if (status == STATUS_MISMATCH)
        status = STATUS_DAMAGED;
    if (status != STATUS_OK)
        errbuf_set(err, "%s: %s", name, reason.text[0] != '\0' ? reason.text : status_text(status));
    return status;
}

/* Is it a note with this text? */
static bool sealed_note_says(const char *bytes, const char *text, size_t size)
{
    struct signed_note note;

    return signed_note_parse(text_of(bytes), &note, NULL) == STATUS_OK && note.text.size == size &&
           memcmp(note.text.data, text, size) == 0;
}

enum status sealed_note_check(const struct data_dir *data_dir, const char *name, int key_dir_fd,
                              const char *key_path, const char *text, size_t size,
                              struct errbuf *err)
{
    char *bytes = NULL;

    enum status status = note_file_read(data_dir->ops, data_dir->fd, name, &bytes, err);
    if (status != STATUS_OK)
        return status;
    status = sealed_note_verify(key_dir_fd, key_path, name, bytes, err);
    if (status == STATUS_OK && !sealed_note_says(bytes, text, size)) {
        errbuf_set(err, "%s: does not say what is on record", name);
        status = STATUS_DAMAGED;
    }
    free(bytes);
    return status;
}
