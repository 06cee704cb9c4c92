#include "bets_digest.h"

#include "assertion.h"
#include "bets_scan.h"
#include "lines.h"
#include "text.h"
#include "word.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_MAX 11 /* bytes of an agency's id in decimal, and of the comma */
#define FAST_MIN ((ptrdiff_t)2 * LINES_BLOCK_SIZE) /* bytes that run_fast() needs ahead of it */

struct digests {
    const struct bets_digest *config;
    struct sha256 *hashes; /* owned; [0..agencies]; only those of the part are begun */
};

static bool is_of_part(const struct bets_digest *config, uint32_t agency)
{
    unsigned part =
        config->part_of != NULL ? config->part_of[agency] : (unsigned)(agency % config->parts);

    return part == config->part;
}

/* Reads the agency's id that begins a line of `size` bytes. Returns the size of the id with its
 * comma; 0: it is not an agency of the draw. */
static size_t read_agency(const struct bets_digest *config, const char *line, size_t size,
                          uint32_t *out)
{
    uint32_t agency = 0;
    size_t at = 0;

    while (at < size && at < PREFIX_MAX - 1 && text_is_digit(line[at]) &&
           agency <= config->agencies / 10)
        agency = agency * 10 + (uint32_t)(line[at++] - '0');
    if (at == 0 || at == size || line[at] != ',' || line[0] == '0' || agency > config->agencies)
        return 0;
    *out = agency;
    return at + 1;
}

/* As run_end(), for a prefix of at most a word; but it stops at a line of the run when `end` is
 * near.
 */
static const char *run_fast(const char *text, const char *end, size_t prefix, uint64_t *lines)
{
    const uint64_t mask = UINT64_MAX >> 8 * (WORD_SIZE - prefix);
    const uint64_t first = word_load(text) & mask;
    const char *line = text;

    for (const char *at = text; end - at > FAST_MIN; at += LINES_BLOCK_SIZE) {
        for (uint64_t ends = lines_find_ends(at); ends != 0; ends &= ends - 1) {
            line = at + __builtin_ctzll(ends) + 1;
            ++*lines;
            if ((word_load(line) & mask) != first)
                return line;
        }
    }
    return line;
}

/* The lines from `text` on that begin with the same `prefix` bytes as the first: returns their end,
 * and counts them. */
static const char *run_end(const char *text, const char *end, size_t prefix, uint64_t *lines)
{
    const char *at = text;

    if (prefix <= WORD_SIZE && end - text > FAST_MIN)
        at = run_fast(text, end, prefix, lines);
    while ((size_t)(end - at) >= prefix && memcmp(at, text, prefix) == 0) {
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        ++*lines;
    }
    return at;
}

/* Takes whole lines. Batches have many lines of one agency, one after the other: these are hashed
 * in one piece. */
static enum status digests_on_lines(void *owner, const char *text, size_t size, size_t *bad_at)
{
    const struct digests *self = owner;
    const struct bets_digest *config = self->config;
    const char *end = text + size;

    for (const char *at = text; at < end;) {
        uint32_t agency;
        uint64_t lines = 0;
        size_t prefix = read_agency(config, at, (size_t)(end - at), &agency);
        if (prefix == 0) {
            *bad_at = (size_t)(at - text);
            return STATUS_DAMAGED;
        }
        const char *next = run_end(at, end, prefix, &lines);
        if (is_of_part(config, agency)) {
            sha256_update(&self->hashes[agency], at, (size_t)(next - at));
            config->out[agency].bets += lines;
        }
        at = next;
    }
    return STATUS_OK;
}

static enum status digests_begin(struct digests *self)
{
    const struct bets_digest *config = self->config;
    enum status status = STATUS_OK;

    self->hashes = calloc((size_t)config->agencies + 1, sizeof(*self->hashes));
    if (self->hashes == NULL)
        return STATUS_NOMEM;
    for (uint32_t agency = 1; agency <= config->agencies && status == STATUS_OK; agency++) {
        if (is_of_part(config, agency))
            status = sha256_init(&self->hashes[agency]);
    }
    return status;
}

static void digests_end(struct digests *self)
{
    const struct bets_digest *config = self->config;

    for (uint32_t agency = 1; agency <= config->agencies && self->hashes != NULL; agency++)
        sha256_fini(&self->hashes[agency]);
    free(self->hashes);
}

enum status bets_digest_run(const struct bets_digest *config, struct errbuf *err)
{
    struct digests self = {.config = config};
    const struct bets_scan scan = {
        .data_dir = config->data_dir,
        .extent = config->extent,
        .parts = 1,
        .verify_part = config->part,
        .verify_parts = config->parts,
        .on_lines = digests_on_lines,
        .owner = &self,
    };

    ASSERT(config->part < config->parts);
    enum status status = digests_begin(&self);
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    else
        status = bets_scan_run(&scan, err);
    for (uint32_t agency = 1; agency <= config->agencies && status == STATUS_OK; agency++) {
        if (is_of_part(config, agency))
            sha256_final(&self.hashes[agency], config->out[agency].digest);
    }
    digests_end(&self);
    return status;
}
