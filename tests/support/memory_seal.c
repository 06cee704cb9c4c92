#include "memory_seal.h"

#include "ed25519.h"
#include "merkle.h"
#include "seal_files.h"
#include "seal_leaf.h"
#include "seal_note.h"
#include "signed_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[MEMORY_SEAL_FILES] = {SEAL_LEAVES_NAME, SEAL_NAME, RESULT_NAME};

static const struct memory_seal *used;

static void demand(bool is_true)
{
    if (!is_true)
        abort();
}

static void add_leaf(struct memory_seal *seal, struct merkle *tree, const char *leaf, size_t size)
{
    struct buffer *leaves = &seal->files[MEMORY_SEAL_LEAVES];

    demand(merkle_add(tree, (struct text){leaf, size}) == STATUS_OK);
    demand(buffer_append(leaves, leaf, size) == STATUS_OK);
    demand(buffer_append(leaves, "\n", 1) == STATUS_OK);
}

static void add_leaves(struct memory_seal *seal, struct merkle *tree, const char *id,
                       uint32_t agencies, uint64_t bets)
{
    char leaf[SEAL_LEAF_MAX];
    struct seal_draw draw = {.agencies = agencies, .bets = bets * agencies, .closed_s = 1700000000};

    memcpy(draw.id, id, strlen(id) + 1);
    add_leaf(seal, tree, leaf, seal_leaf_put_draw(&draw, leaf));
    for (uint32_t i = 1; i <= agencies; i++) {
        struct seal_agency agency = {.agency = i, .bets = bets};
        memset(agency.digest, (int)i, sizeof(agency.digest));
        memset(agency.nonce, (int)i + 1, sizeof(agency.nonce));
        add_leaf(seal, tree, leaf, seal_leaf_put_agency(&agency, leaf));
    }
    demand(merkle_finish(tree) == STATUS_OK);
}

static void sign(const struct memory_seal *seal, struct evp_pkey_st *pair, const char *bytes,
                 size_t size, struct buffer *out)
{
    struct text text = {bytes, size};
    uint8_t signature[ED25519_SIGNATURE_SIZE];

    demand(ed25519_sign(pair, text, signature) == STATUS_OK);
    demand(signed_note_put(text, &seal->key, signature, out) == STATUS_OK);
}

void memory_seal_init(struct memory_seal *seal, const char *id, uint32_t agencies, uint64_t bets,
                      uint32_t number, const char *source)
{
    char text[RESULT_NOTE_MAX];
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    struct evp_pkey_st *pair;
    struct merkle tree;
    struct seal_note note = {.leaves = (uint64_t)agencies + 1};
    struct result_note result = {
        .number = number, .source = text_of(source), .time_s = 1700000100, .winners = 1};

    *seal = (struct memory_seal){.is_missing = {false}};
    memcpy(note.id, id, strlen(id) + 1);
    memcpy(result.id, id, strlen(id) + 1);
    demand(ed25519_generate(&pair, NULL) == STATUS_OK);
    demand(ed25519_public(pair, public_key) == STATUS_OK);
    demand(note_key_init(&seal->key, SEAL_KEY_NAME, public_key) == STATUS_OK);
    demand(merkle_init(&tree) == STATUS_OK);
    add_leaves(seal, &tree, id, agencies, bets);
    note.root = result.root = merkle_root(&tree);
    memcpy(seal->root, note.root.bytes, sizeof(seal->root));
    sign(seal, pair, text, seal_note_put(&note, text), &seal->files[MEMORY_SEAL_NOTE]);
    sign(seal, pair, text, result_note_put(&result, text), &seal->files[MEMORY_SEAL_RESULT]);
    merkle_fini(&tree);
    ed25519_free(pair);
}

void memory_seal_fini(struct memory_seal *seal)
{
    for (size_t i = 0; i < MEMORY_SEAL_FILES; i++)
        buffer_fini(&seal->files[i]);
}

void memory_seal_use(const struct memory_seal *seal)
{
    used = seal;
}

static int open_file(int dir, const char *name, int flags, mode_t mode)
{
    (void)dir;
    (void)flags;
    (void)mode;
    for (size_t i = 0; used != NULL && i < MEMORY_SEAL_FILES; i++) {
        const struct buffer *file = &used->files[i];
        if (strcmp(name, names[i]) != 0 || used->is_missing[i])
            continue;
        int fd = memfd_create(name, MFD_CLOEXEC);
        demand(fd >= 0 && write(fd, file->data, file->size) == (ssize_t)file->size);
        return fd;
    }
    errno = ENOENT;
    return -1;
}

static int stat_fd(int fd, struct stat *out)
{
    return file_ops_system.fstat(fd, out);
}

static ssize_t read_fd(int fd, void *bytes, size_t size, off_t offset)
{
    return file_ops_system.pread(fd, bytes, size, offset);
}

const struct file_ops memory_seal_ops = {.openat = open_file, .fstat = stat_fd, .pread = read_fd};
