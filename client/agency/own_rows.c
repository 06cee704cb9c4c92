#include "own_rows.h"

#include "bet_line.h"

#include <string.h>

#define STEP_ROWS 4096

enum status text_hash_init(struct text_hash *self)
{
    self->count = 0;
    self->size = 0;
    return sha256_init(&self->hash);
}

void text_hash_fini(struct text_hash *self)
{
    sha256_fini(&self->hash);
}

static void text_hash_flush(struct text_hash *self)
{
    sha256_update(&self->hash, self->buffer, self->size);
    self->size = 0;
}

struct text_digest text_hash_end(struct text_hash *self)
{
    struct text_digest digest = {.count = self->count};

    text_hash_flush(self);
    sha256_final(&self->hash, digest.bytes);
    return digest;
}

enum status text_hash_restart(struct text_hash *self)
{
    self->count = 0;
    self->size = 0;
    return sha256_restart(&self->hash);
}

/* Returns where the next text of at most `size` bytes goes. */
static char *text_hash_reserve(struct text_hash *self, size_t size)
{
    if (size > OWN_ROWS_BUFFER - self->size)
        text_hash_flush(self);
    return self->buffer + self->size;
}

void text_hash_add_document(struct text_hash *self, struct text document)
{
    /* From a server that is not ours, it may be of any size; what is cut is no document. */
    size_t size = document.size < OWN_ROWS_BUFFER ? document.size : OWN_ROWS_BUFFER - 1;
    char *out = text_hash_reserve(self, size + 1);

    memcpy(out, document.data, size);
    out[size] = '\n';
    self->size += size + 1;
    self->count++;
}

static void text_hash_add_line(struct text_hash *self, uint32_t agency, const struct bet *bet)
{
    char *out = text_hash_reserve(self, BET_LINE_MAX);

    self->size += bet_lines_format(agency, bet, 1, out);
    self->count++;
}

enum status own_rows_init(struct own_rows *self, uint32_t agency)
{
    self->agency = agency;
    return text_hash_init(&self->hash);
}

void own_rows_fini(struct own_rows *self)
{
    text_hash_fini(&self->hash);
}

void own_rows_leave(struct own_rows *self)
{
    self->is_there = false;
}

enum status own_rows_begin_lines(struct own_rows *self, uint64_t rows)
{
    self->rows = rows;
    self->row = 0;
    self->is_there = false;
    self->is_for_winners = false;
    return text_hash_restart(&self->hash);
}

enum status own_rows_begin_winners(struct own_rows *self, uint64_t rows, uint32_t number)
{
    enum status status = own_rows_begin_lines(self, rows);

    self->is_for_winners = true;
    self->number = number;
    return status;
}

static void own_rows_take(struct own_rows *self, const struct bet *bet)
{
    if (!self->is_for_winners)
        text_hash_add_line(&self->hash, self->agency, bet);
    else if (bet->number == self->number)
        text_hash_add_document(&self->hash, bet->document);
}

/* Hashes the next rows. */
static enum status own_rows_read(struct own_rows *self, struct bets_file *file, struct errbuf *err)
{
    struct bet bet;

    for (int i = 0; i < STEP_ROWS && self->row < self->rows; i++) {
        enum status status = bets_file_peek(file, &bet, err);
        if (status == STATUS_NOTFOUND)
            errbuf_set(err, "the file has become shorter since it was sent");
        if (status != STATUS_OK)
            return status;
        own_rows_take(self, &bet);
        bets_file_advance(file);
        self->row++;
    }
    return STATUS_OK;
}

enum status own_rows_step(struct own_rows *self, struct bets_file *file, bool *out_done,
                          struct text_digest *out, struct errbuf *err)
{
    enum status status;

    *out_done = false;
    if (!self->is_there) {
        status = bets_file_seek(file, self->row, &self->is_there, err);
        if (status != STATUS_OK || !self->is_there)
            return status;
    }
    status = own_rows_read(self, file, err);
    if (status == STATUS_OK && self->row == self->rows) {
        *out_done = true;
        *out = text_hash_end(&self->hash);
    }
    return status;
}
