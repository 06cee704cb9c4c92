#include "fill_batch.h"

struct bets_checksum fill_batch_checksum(struct bets_file *file)
{
    return (struct bets_checksum){bets_file_checksum(file), true};
}

void fill_batch_ask(struct batch *batch, const struct client_settings *settings)
{
    batch_begin(batch, settings->id, 0, (struct bets_checksum){0, true}, text_of(settings->draw));
}

enum status fill_batch(struct batch *batch, struct bets_file *file, uint64_t row,
                       const struct client_settings *settings, struct errbuf *err)
{
    enum status status = STATUS_OK;
    struct bet bet;

    batch_begin(batch, settings->id, row, fill_batch_checksum(file), text_of(settings->draw));
    while (batch->count < settings->batch_max_amount) {
        status = bets_file_peek(file, &bet, err);
        if (status != STATUS_OK || !batch_add(batch, &bet))
            break;
        bets_file_advance(file);
    }
    if (status == STATUS_NOTFOUND) {
        if (row + batch->count == bets_file_rows(file))
            return STATUS_OK;
        errbuf_set(err, "the file became shorter while it was being sent");
        return STATUS_INVALID;
    }
    return status;
}
