#include "cutoff.h"

#include "log.h"
#include "refusal.h"

void cutoff_check_draw(struct cutoff *cutoff, const Lottery__V1__Ack *ack, const char *draw,
                       uint32_t agency)
{
    if (cutoff->is_warned || draw[0] == '\0' || ack->draw[0] != '\0')
        return;
    cutoff->is_warned = true;
    LOG(WARNING, "draw", IN_PROGRESS, LOG_UINT("client_id", agency), LOG_TEXT("draw", draw),
        LOG_TEXT("reason",
                 "the central says nothing of draws: it puts the bets into its only one"));
}

void cutoff_note(struct cutoff *cutoff, const Lottery__V1__Ack *ack)
{
    cutoff->is_closed = true;
    refusal_describe(ack, &cutoff->reason);
}

bool cutoff_has_happened(const struct cutoff *cutoff)
{
    return cutoff->is_told;
}

enum status cutoff_tell(struct cutoff *cutoff, struct bets_file *file, uint64_t row,
                        uint32_t agency, struct errbuf *err)
{
    struct errbuf place;

    if (cutoff->is_told && cutoff->told_row == row)
        return STATUS_OK;
    enum status status = bets_file_locate(file, &place, err);
    if (status != STATUS_OK)
        return status;
    cutoff->is_told = true;
    cutoff->told_row = row;
    LOG(ERROR, "apuestas_enviadas", FAIL, LOG_UINT("client_id", agency),
        LOG_TEXT("reason", cutoff->reason.text), LOG_UINT("taken", row),
        LOG_UINT("not_taken", bets_file_rows(file) - row), LOG_TEXT("first_not_taken", place.text));
    return STATUS_OK;
}
