#include "replay.h"

#include "crc32c.h"

#include <inttypes.h>
#include <stdlib.h>

#define BLOCK_RECORDS 1024
#define DATA_PIECE (256 * 1024) /* bytes of a batch that are read at a time */

/* One run: buffers for a block of the journal and for bets, and where the valid part ended. */
struct run {
    struct replay *replay;
    uint8_t block[BLOCK_RECORDS * JOURNAL_RECORD_SIZE];
    uint8_t data[DATA_PIECE];
    bool is_bad;          /* the valid part has ended */
    struct errbuf reason; /* why */
};

static void replay_mark_bad(struct run *run, const char *file, uint64_t at, const char *what)
{
    run->is_bad = true;
    errbuf_set(&run->reason, "%s: %s at byte %" PRIu64, file, what, at);
}

/* Do the bets of `record` follow the previous ones, and do they match its checksum? */
static enum status replay_check_bets(struct run *run, const struct journal_record *record,
                                     struct errbuf *err)
{
    struct replay *replay = run->replay;
    uint32_t crc = 0;

    if (record->data_at != replay->bets_end) {
        replay_mark_bad(run, JOURNAL_NAME, record->at, "record that does not continue bets.csv");
        return STATUS_OK;
    }
    for (size_t done = 0, size; done < record->data_size; done += size) {
        size_t left = record->data_size - done;
        size_t want = left < sizeof(run->data) ? left : sizeof(run->data);
        enum status status =
            file_read(replay->ops, replay->bets_fd, run->data, want, record->data_at + done, &size);
        if (status != STATUS_OK) {
            errbuf_set(err, BETS_NAME ": %s at byte %" PRIu64, status_text(status),
                       record->data_at + done);
            return status;
        }
        if (size < want) {
            replay_mark_bad(run, BETS_NAME, record->data_at + done + size, "bets missing");
            return STATUS_OK;
        }
        crc = crc32c(crc, run->data, size);
    }
    if (crc != record->data_crc)
        replay_mark_bad(run, BETS_NAME, record->data_at, "checksum mismatch in the batch");
    return STATUS_OK;
}

static enum status replay_apply_bets(struct run *run, const struct journal_record *record,
                                     struct errbuf *err)
{
    struct replay *replay = run->replay;
    struct state_agency *agency = &replay->state->agency[record->agency];

    enum status status = replay_check_bets(run, record, err);
    if (status != STATUS_OK || run->is_bad)
        return status;
    atomic_store(&agency->received, record->received);
    replay->bets_end += record->data_size;
    replay->bets += record->count;
    return STATUS_OK;
}

/* Applies one valid record. Its numbers are absolute, so applying it twice is harmless. */
static enum status replay_apply(struct run *run, const struct journal_record *record,
                                struct errbuf *err)
{
    struct replay *replay = run->replay;
    struct state *state = replay->state;

    if (record->type == JOURNAL_DRAW) {
        replay->draw = *record;
        replay->has_draw = true;
        return STATUS_OK;
    }
    if (record->agency < 1 || record->agency > state->agencies) {
        errbuf_set(err,
                   JOURNAL_NAME ": has bets of agency %" PRIu32 ", but LOTTERY_AGENCIES is %" PRIu32
                                ": raise it, or choose another folder",
                   record->agency, state->agencies);
        return STATUS_INVALID;
    }
    if (record->type == JOURNAL_BETS)
        return replay_apply_bets(run, record, err);
    if (record->type == JOURNAL_FINISHED)
        atomic_store(&state->agency[record->agency].has_finished, 1);
    return STATUS_OK;
}

static enum status replay_take_record(struct run *run, const uint8_t *bytes, uint64_t at,
                                      struct errbuf *err)
{
    struct replay *replay = run->replay;
    struct journal_record record;

    bool is_valid = journal_decode(bytes, &record) && record.at == at &&
                    record.id == replay->state->id && record.type != JOURNAL_HEADER;
    if (is_valid && record.synced > replay->synced)
        replay->synced = record.synced;
    if (run->is_bad) /* after the valid part only `synced` matters */
        return STATUS_OK;
    if (!is_valid) {
        replay_mark_bad(run, JOURNAL_NAME, at, "invalid record");
        return STATUS_OK;
    }
    enum status status = replay_apply(run, &record, err);
    if (status == STATUS_OK && !run->is_bad)
        replay->journal_end = at + JOURNAL_RECORD_SIZE;
    return status;
}

/* After the records there may be reserved space, all zeros. */
static void replay_note_used(struct replay *replay, const uint8_t *block, size_t size, uint64_t at)
{
    while (size > 0 && block[size - 1] == 0)
        size--;
    if (size > 0)
        replay->journal_used = at + size;
}

static enum status replay_take_journal(struct run *run, struct errbuf *err)
{
    struct replay *replay = run->replay;
    uint64_t at = replay->journal_at;

    for (;;) {
        size_t size;
        enum status status =
            file_read(replay->ops, replay->journal_fd, run->block, sizeof(run->block), at, &size);
        if (status != STATUS_OK) {
            errbuf_set(err, JOURNAL_NAME ": %s", status_text(status));
            return status;
        }
        replay_note_used(replay, run->block, size, at);
        for (size_t i = 0; i + JOURNAL_RECORD_SIZE <= size; i += JOURNAL_RECORD_SIZE) {
            status = replay_take_record(run, run->block + i, at + i, err);
            if (status != STATUS_OK)
                return status;
        }
        if (size < sizeof(run->block))
            return STATUS_OK;
        at += size;
    }
}

enum status replay_run(struct replay *replay, struct errbuf *err)
{
    struct run *run = malloc(sizeof(*run));

    if (run == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    run->replay = replay;
    run->is_bad = false;
    replay->journal_end = replay->journal_at;
    replay->journal_used = 0;
    replay->bets_end = replay->bets_at;
    replay->bets = 0;
    replay->has_draw = false;
    enum status status = file_size(replay->ops, replay->bets_fd, &replay->bets_size);
    if (status == STATUS_OK)
        status = file_size(replay->ops, replay->journal_fd, &replay->journal_size);
    if (status != STATUS_OK)
        errbuf_set(err, "cannot read the files' sizes: %s", status_text(status));
    else
        status = replay_take_journal(run, err);
    if (replay->journal_used < replay->journal_end) /* a record may end in zeros */
        replay->journal_used = replay->journal_end;
    if (status == STATUS_OK && replay->journal_size < JOURNAL_START) {
        errbuf_set(err,
                   JOURNAL_NAME ": ends at byte %" PRIu64 ", within its header: restore the folder"
                                " from a copy, or move it away to start over",
                   replay->journal_size);
        status = STATUS_DAMAGED;
    } else if (status == STATUS_OK && replay->journal_end < replay->synced) {
        if (!run->is_bad)
            replay_mark_bad(run, JOURNAL_NAME, replay->journal_end, "records missing");
        errbuf_set(err,
                   "%s, although it was on disk before: restore the folder from a copy, or move it"
                   " away to start over",
                   run->reason.text);
        status = STATUS_DAMAGED;
    }
    free(run);
    return status;
}

void replay_publish(const struct replay *replay)
{
    struct state *state = replay->state;
    uint32_t finished = 0;

    if (replay->has_draw) {
        state->draw = replay->draw;
        atomic_store(&state->has_draw, 1);
    }

    for (uint32_t i = 1; i <= state->agencies; i++)
        finished += atomic_load(&state->agency[i].has_finished) != 0;
    atomic_store(&state->finished, finished);
}
