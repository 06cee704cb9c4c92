#include "signing_key.h"

#include "log.h"
#include "seal_key.h"

#include <fcntl.h>

void signing_key_init(struct signing_key *key, const struct data_dir *base_dir, const char *setting)
{
    bool is_set = setting != NULL && setting[0] != '\0';

    *key = (struct signing_key){.dir_fd = is_set ? AT_FDCWD : base_dir->fd,
                                .path = is_set ? setting : SIGNING_KEY_NAME,
                                .may_make = !is_set};
}

void signing_key_prepare(struct signing_key *key, bool is_sealed)
{
    struct seal_key *loaded = NULL;
    struct errbuf err = {{0}};

    if (key->vkey[0] != '\0')
        return;
    enum status status = seal_key_load(key->dir_fd, key->path, &loaded, &err);
    if (status == STATUS_NOTFOUND && key->may_make && !is_sealed)
        status = seal_key_generate(key->dir_fd, key->path, &loaded, &err);
    if (status == STATUS_OK) {
        note_key_format(seal_key_public(loaded), key->vkey);
        LOG(INFO, "seal_key", SUCCESS, LOG_TEXT("vkey", key->vkey));
    } else if (!key->has_failed) {
        LOG(ERROR, "seal_key", FAIL, LOG_TEXT("reason", err.text));
    }
    key->has_failed = status != STATUS_OK;
    seal_key_destroy(loaded);
}
