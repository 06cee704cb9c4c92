#include "seal_key.h"

#include "ed25519.h"
#include "key_file.h"
#include "seal_note.h"
#include "signed_note.h"

#include <stdlib.h>

struct seal_key {
    struct evp_pkey_st *pair; /* owned */
    struct note_key public_key;
};

/* Takes the pair, also if it fails. */
static enum status seal_key_create(struct evp_pkey_st *pair, struct seal_key **out)
{
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    struct seal_key *key = calloc(1, sizeof(*key));
    enum status status = STATUS_NOMEM;

    if (key == NULL) {
        ed25519_free(pair);
        return status;
    }
    key->pair = pair;
    status = ed25519_public(pair, public_key);
    if (status == STATUS_OK)
        status = note_key_init(&key->public_key, SEAL_KEY_NAME, public_key);
    if (status == STATUS_OK)
        *out = key;
    else
        seal_key_destroy(key);
    return status;
}

/* Puts the path in front of the reason. */
static enum status seal_key_fail(enum status status, const char *path, struct errbuf *err)
{
    if (status == STATUS_NOMEM)
        errbuf_set(err, "%s", status_text(status));
    errbuf_wrap(err, "%s", path);
    return status;
}

enum status seal_key_load(int dir_fd, const char *path, struct seal_key **out, struct errbuf *err)
{
    struct evp_pkey_st *pair = NULL;
    struct buffer pem = {0};
    enum status status = key_file_read(dir_fd, path, KEY_FILE_OWNER, &pem, err);

    if (status == STATUS_OK)
        status = ed25519_read_pem((struct text){pem.data, pem.size}, &pair, err);
    key_file_forget(&pem);
    if (status == STATUS_OK)
        status = seal_key_create(pair, out);
    return status == STATUS_OK ? status : seal_key_fail(status, path, err);
}

enum status seal_key_generate(int dir_fd, const char *path, struct seal_key **out,
                              struct errbuf *err)
{
    struct evp_pkey_st *pair = NULL;
    struct seal_key *key = NULL;
    struct buffer pem = {0};
    enum status status = ed25519_generate(&pair, err);

    if (status != STATUS_OK)
        return seal_key_fail(status, path, err);
    status = ed25519_write_pem(pair, &pem);
    if (status == STATUS_OK)
        status = key_file_create(dir_fd, path, (struct text){pem.data, pem.size}, err);
    key_file_forget(&pem);
    if (status == STATUS_OK)
        status = seal_key_create(pair, &key);
    else
        ed25519_free(pair);
    if (status != STATUS_OK)
        return seal_key_fail(status, path, err);
    *out = key;
    return STATUS_OK;
}

void seal_key_destroy(struct seal_key *key)
{
    if (key == NULL)
        return;
    ed25519_free(key->pair);
    free(key);
}

const struct note_key *seal_key_public(const struct seal_key *key)
{
    return &key->public_key;
}

enum status seal_key_sign(const struct seal_key *key, struct text text, struct buffer *out)
{
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    enum status status = ed25519_sign(key->pair, text, signature);

    if (status != STATUS_OK)
        return status;
    return signed_note_put(text, &key->public_key, signature, out);
}
