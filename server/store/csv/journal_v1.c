/* Carrying over: what the journal of the first release says of a draw.
 *
 * Happy path: take the newer header, then the records in their order. Each one has to be valid, has
 * to continue bets.csv, has to match the bytes there, and goes through draw_apply(). The first
 * release recorded neither N nor the winning number: N is what the draw is opened with, and what a
 * draw was held with follows from its record.
 *
 * Failure modes: the valid part ends at the first record that is not right. If a header or any
 * valid record, also one further on, says that this place was on disk before, it is damaged;
 * otherwise it is a torn tail that was never acknowledged.
 */
#include "journal_v1.h"

#include "bet.h"
#include "crc32c.h"
#include "little_endian.h"

#include <inttypes.h>
#include <stdlib.h>

#define JOURNAL_V1_NAME "bets.journal"
#define BETS_V1_NAME "bets.csv"
#define VERSION 1
#define RECORD_SIZE 64
#define HEADER_B 512                    /* offset of the second header */
#define RECORDS_AT 1024                 /* offset of the first record */
#define BLOCK_SIZE ((size_t)64 * 1024)  /* bytes of the journal that are read at a time */
#define PIECE_SIZE ((size_t)256 * 1024) /* and of bets.csv */

/* The layout of a record: offset and width of each field. */
enum {
    AT_CRC = 0,       /* u32, of all that follows */
    AT_TYPE = 4,      /* u8 */
    AT_VERSION = 5,   /* u8, then two bytes of zero */
    AT_AGENCY = 8,    /* u32 */
    AT_COUNT = 12,    /* u32 */
    AT_RECEIVED = 16, /* u64 */
    AT_DATA = 24,     /* u64 */
    AT_SIZE = 32,     /* u32 */
    AT_DATA_CRC = 36, /* u32 */
    AT_SYNCED = 40,   /* u64 */
    AT_SELF = 48,     /* u64 */
    AT_ID = 56        /* u64 */
};

_Static_assert(BLOCK_SIZE % RECORD_SIZE == 0, "a block has whole records");

enum type { TYPE_HEADER = 1, TYPE_BETS = 2, TYPE_FINISHED = 3, TYPE_DRAW = 4 };

struct record {
    enum type type;
    uint32_t agency;    /* BETS, FINISHED */
    uint32_t count;     /* BETS: number of bets; DRAW: the winning number */
    uint64_t received;  /* BETS: the agency's total including this batch; FINISHED: its total;
                           DRAW: number of winners; HEADER: how often it was written */
    uint64_t data_at;   /* BETS: offset in bets.csv; DRAW: size of winners.csv, bytes */
    uint32_t data_size; /* BETS: bytes in bets.csv */
    uint32_t data_crc;  /* BETS, DRAW: checksum of those bytes */
    uint64_t synced;    /* journal bytes known to be on disk when this was written, with the bets
                           that they describe */
    uint64_t at;        /* its own offset */
    uint64_t id;        /* of the folder */
};

struct replay {
    const struct file_ops *ops;
    int journal_fd;
    int bets_fd;
    uint32_t agencies;          /* N in the settings */
    struct recovery_pace *pace; /* of the whole recovery */
    struct draw *draw;
    struct bets_extent *extent; /* of what the accepted records describe */
    struct journal_v1_report *report;
    uint64_t id;     /* of the folder; other records do not count */
    uint64_t synced; /* the highest that any header or record says */
    uint64_t journal_size;
    bool has_ended;       /* the valid part */
    struct errbuf reason; /* why */
    uint8_t block[BLOCK_SIZE];
    uint8_t piece[PIECE_SIZE];
};

static enum status v1_fail(struct errbuf *err, const char *name, enum status status)
{
    errbuf_set(err, "%s: %s", name, status_text(status));
    return status == STATUS_NOMEM ? STATUS_NOMEM : STATUS_IO;
}

/* Is this a possible size of the journal on disk: the headers and whole records? */
static bool v1_is_synced_size(uint64_t synced)
{
    return synced >= RECORDS_AT && (synced - RECORDS_AT) % RECORD_SIZE == 0;
}

/* Decodes one record. False, without *out, when it is not a valid one. */
static bool v1_decode(const uint8_t *bytes, struct record *out)
{
    if (little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_TYPE, RECORD_SIZE - AT_TYPE) ||
        bytes[AT_VERSION] != VERSION || bytes[AT_TYPE] < TYPE_HEADER ||
        bytes[AT_TYPE] > TYPE_DRAW || !v1_is_synced_size(little_get64(bytes + AT_SYNCED)))
        return false;
    *out = (struct record){
        .type = (enum type)bytes[AT_TYPE],
        .agency = little_get32(bytes + AT_AGENCY),
        .count = little_get32(bytes + AT_COUNT),
        .received = little_get64(bytes + AT_RECEIVED),
        .data_at = little_get64(bytes + AT_DATA),
        .data_size = little_get32(bytes + AT_SIZE),
        .data_crc = little_get32(bytes + AT_DATA_CRC),
        .synced = little_get64(bytes + AT_SYNCED),
        .at = little_get64(bytes + AT_SELF),
        .id = little_get64(bytes + AT_ID),
    };
    return true;
}

/* Reads both headers and takes the newer valid one; *out_found says whether there is one. */
static enum status v1_read_header(const struct file_ops *ops, int fd, struct record *out,
                                  bool *out_found, struct errbuf *err)
{
    *out_found = false;
    for (uint64_t at = 0; at <= HEADER_B; at += HEADER_B) {
        uint8_t bytes[RECORD_SIZE];
        struct record header;
        size_t size;
        enum status status = file_read(ops, fd, bytes, sizeof(bytes), at, &size);
        if (status != STATUS_OK)
            return v1_fail(err, JOURNAL_V1_NAME, status);
        if (size == sizeof(bytes) && v1_decode(bytes, &header) && header.type == TYPE_HEADER &&
            header.at == at && (!*out_found || header.received > out->received)) {
            *out = header;
            *out_found = true;
        }
    }
    return STATUS_OK;
}

enum status journal_v1_is_one(const struct file_ops *ops, int fd, bool *out, struct errbuf *err)
{
    struct record header;

    return v1_read_header(ops, fd, &header, out, err);
}

/* The valid part ends here. */
static void v1_mark_end(struct replay *replay, const char *file, uint64_t at, const char *what)
{
    replay->has_ended = true;
    errbuf_set(&replay->reason, "%s: %s at byte %" PRIu64, file, what, at);
}

/* Follows the bets of `record` in bets.csv, and compares their checksum. */
static enum status v1_take_lines(struct replay *replay, const struct record *record,
                                 struct errbuf *err)
{
    uint32_t crc = 0;
    size_t size;

    for (size_t done = 0; done < record->data_size; done += size) {
        size_t left = record->data_size - done;
        size_t want = left < PIECE_SIZE ? left : PIECE_SIZE;
        enum status status = recovery_pause(replay->pace, err);
        if (status != STATUS_OK)
            return status;
        status = file_read(replay->ops, replay->bets_fd, replay->piece, want,
                           record->data_at + done, &size);
        if (status == STATUS_OK)
            status = bets_extent_append(replay->extent, replay->piece, size);
        if (status != STATUS_OK)
            return v1_fail(err, BETS_V1_NAME, status);
        if (size < want) {
            v1_mark_end(replay, BETS_V1_NAME, record->data_at + done + size, "bets missing");
            return STATUS_OK;
        }
        crc = crc32c(crc, replay->piece, size);
        replay->pace->bytes_done += size;
    }
    if (crc != record->data_crc)
        v1_mark_end(replay, BETS_V1_NAME, record->data_at, "checksum mismatch in the batch");
    return STATUS_OK;
}

static enum status v1_take_bets(struct replay *replay, const struct record *record,
                                struct errbuf *err)
{
    struct bets_extent *extent = replay->extent;
    uint64_t size = extent->size;
    uint32_t crc = extent->crc;
    uint64_t known = draw_received(replay->draw, record->agency);
    struct draw_record bets = {
        .type = DRAW_BETS,
        .bets = {.agency = record->agency, .count = record->count, .offset = known}};

    if (record->data_at != size) {
        v1_mark_end(replay, JOURNAL_V1_NAME, record->at, "record that does not continue bets.csv");
        return STATUS_OK;
    }
    if (record->received < known || record->received - known != record->count) {
        v1_mark_end(replay, JOURNAL_V1_NAME, record->at,
                    "record that does not continue its agency");
        return STATUS_OK;
    }
    enum status status = v1_take_lines(replay, record, err);
    if (status != STATUS_OK)
        return status;
    if (!replay->has_ended && !draw_apply(replay->draw, &bets).is_recorded)
        v1_mark_end(replay, JOURNAL_V1_NAME, record->at, "bets that the draw does not accept");
    if (replay->has_ended)
        bets_extent_cut(extent, size, crc);
    return STATUS_OK;
}

/* An agency that is new since a draw was held may have asked for its winners. That counts nothing.
 */
static bool v1_is_late_question(const struct replay *replay, const struct record *record)
{
    return replay->draw->phase == DRAW_DRAWN && record->type == TYPE_FINISHED &&
           record->agency > replay->draw->agencies && record->received == 0;
}

static void v1_take_finished(struct replay *replay, const struct record *record)
{
    struct draw_record finished = {
        .type = DRAW_FINISHED, .finished = {.agency = record->agency, .total = record->received}};

    if (draw_apply(replay->draw, &finished).status != STATUS_OK)
        v1_mark_end(replay, JOURNAL_V1_NAME, record->at, "an end that the draw does not accept");
}

/* The draw was held when all agencies had finished, so those that have are 1..N as N was then; it
 * may have been raised in the settings since. */
static bool v1_is_of_all(const struct draw *draw)
{
    for (uint32_t i = 1; i <= draw->agencies; i++) {
        if (draw->agency[i].has_finished != (i <= draw->finished) ||
            (i > draw->finished && draw->agency[i].received > 0))
            return false;
    }
    return draw->finished > 0;
}

static void v1_take_draw(struct replay *replay, const struct record *record)
{
    struct draw *draw = replay->draw;
    struct draw_record closing = {
        .type = DRAW_CLOSING,
        .closed = {.by = DRAW_BY_ALL_FINISHED, .extent = replay->extent->size}};
    struct draw_record drawing = {.type = DRAW_DRAWING,
                                  .drawn = {.winner_number = record->count,
                                            .winners = record->received,
                                            .winners_size = record->data_at,
                                            .winners_crc = record->data_crc}};

    if (draw->phase == DRAW_OPEN && v1_is_of_all(draw) && record->count <= BET_NUMBER_MAX) {
        draw->agencies = draw->finished;
        draw->winner_number = record->count;
        (void)draw_apply(draw, &closing);
    }
    if (draw_apply(draw, &drawing).status != STATUS_OK)
        v1_mark_end(replay, JOURNAL_V1_NAME, record->at, "a draw that is not accepted");
}

static enum status v1_take_record(struct replay *replay, const struct record *record,
                                  struct errbuf *err)
{
    if (record->type == TYPE_DRAW) {
        v1_take_draw(replay, record);
        return STATUS_OK;
    }
    if (v1_is_late_question(replay, record))
        return STATUS_OK;
    if (record->agency < 1 || record->agency > replay->agencies) {
        errbuf_set(err,
                   JOURNAL_V1_NAME ": has bets of agency %" PRIu32
                                   ", but LOTTERY_AGENCIES is %" PRIu32
                                   ": raise it, or choose another folder",
                   record->agency, replay->agencies);
        return STATUS_INVALID;
    }
    if (record->type == TYPE_BETS)
        return v1_take_bets(replay, record, err);
    v1_take_finished(replay, record);
    return STATUS_OK;
}

/* Takes the record at `at`. After the valid part, only what it says of the disk matters. */
static enum status v1_take_bytes(struct replay *replay, const uint8_t *bytes, uint64_t at,
                                 struct errbuf *err)
{
    struct record record;

    bool is_valid = v1_decode(bytes, &record) && record.at == at && record.id == replay->id &&
                    record.type != TYPE_HEADER;
    if (is_valid && record.synced > replay->synced)
        replay->synced = record.synced;
    if (replay->has_ended)
        return STATUS_OK;
    if (!is_valid) {
        v1_mark_end(replay, JOURNAL_V1_NAME, at, "invalid record");
        return STATUS_OK;
    }
    enum status status = v1_take_record(replay, &record, err);
    if (status == STATUS_OK && !replay->has_ended)
        replay->report->journal_end = at + RECORD_SIZE;
    return status;
}

/* After the records there may be reserved space, all zeros. */
static void v1_note_used(struct replay *replay, size_t size, uint64_t at)
{
    while (size > 0 && replay->block[size - 1] == 0)
        size--;
    if (size > 0)
        replay->report->journal_used = at + size;
}

static enum status v1_take_journal(struct replay *replay, struct errbuf *err)
{
    for (uint64_t at = RECORDS_AT;; at += BLOCK_SIZE) {
        size_t size;
        enum status status = recovery_pause(replay->pace, err);
        if (status != STATUS_OK)
            return status;
        status = file_read(replay->ops, replay->journal_fd, replay->block, BLOCK_SIZE, at, &size);
        if (status != STATUS_OK)
            return v1_fail(err, JOURNAL_V1_NAME, status);
        v1_note_used(replay, size, at);
        replay->pace->bytes_done += size;
        for (size_t i = 0; i + RECORD_SIZE <= size; i += RECORD_SIZE) {
            status = v1_take_bytes(replay, replay->block + i, at + i, err);
            if (status != STATUS_OK)
                return status;
        }
        if (size < BLOCK_SIZE)
            return STATUS_OK;
    }
}

/* The bets are on disk up to the first batch whose record is not known to be. */
static enum status v1_find_bets_synced(struct replay *replay, struct errbuf *err)
{
    struct journal_v1_report *report = replay->report;

    report->bets_synced = report->bets_end;
    for (uint64_t at = replay->synced; at < report->journal_end; at += RECORD_SIZE) {
        uint8_t bytes[RECORD_SIZE];
        struct record record;
        size_t size;
        enum status status =
            file_read(replay->ops, replay->journal_fd, bytes, sizeof(bytes), at, &size);
        if (status == STATUS_OK && (size < sizeof(bytes) || !v1_decode(bytes, &record)))
            status = STATUS_IO; /* it was valid a moment ago */
        if (status != STATUS_OK)
            return v1_fail(err, JOURNAL_V1_NAME, status);
        if (record.type == TYPE_BETS) {
            report->bets_synced = record.data_at;
            break;
        }
    }
    return STATUS_OK;
}

/* Is what follows the valid part only a torn tail? */
static enum status v1_judge_end(struct replay *replay, struct errbuf *err)
{
    struct journal_v1_report *report = replay->report;

    report->bets_end = replay->extent->size;
    if (report->journal_used < report->journal_end) /* a record may end in zeros */
        report->journal_used = report->journal_end;
    if (replay->journal_size < RECORDS_AT) {
        errbuf_set(err,
                   JOURNAL_V1_NAME ": ends at byte %" PRIu64
                                   ", within its header: restore the folder"
                                   " from a copy, or move it away to start over",
                   replay->journal_size);
        return STATUS_DAMAGED;
    }
    if (report->journal_end >= replay->synced)
        return v1_find_bets_synced(replay, err);
    if (!replay->has_ended)
        v1_mark_end(replay, JOURNAL_V1_NAME, report->journal_end, "records missing");
    errbuf_set(err,
               "%s, although it was on disk before: restore the folder from a copy, or move it"
               " away to start over",
               replay->reason.text);
    return STATUS_DAMAGED;
}

/* Finds the header and the sizes, and opens the draw. */
static enum status v1_begin(struct replay *replay, const struct draw_opened *opened,
                            struct errbuf *err)
{
    struct draw_record opening = {.type = DRAW_OPENED, .opened = *opened};
    struct record header;
    bool is_found;

    enum status status = v1_read_header(replay->ops, replay->journal_fd, &header, &is_found, err);
    if (status != STATUS_OK)
        return status;
    if (!is_found) {
        errbuf_set(err,
                   JOURNAL_V1_NAME ": no valid header at byte 0 or %d: restore the folder from"
                                   " a copy, or move it away to start over",
                   HEADER_B);
        return STATUS_DAMAGED;
    }
    replay->id = header.id;
    replay->synced = header.synced;
    replay->report->journal_end = RECORDS_AT;
    status = file_size(replay->ops, replay->bets_fd, &replay->report->bets_size);
    if (status == STATUS_OK)
        status = file_size(replay->ops, replay->journal_fd, &replay->journal_size);
    if (status != STATUS_OK)
        return v1_fail(err, "the files' sizes", status);
    replay->pace->bytes_all = replay->report->bets_size + replay->journal_size;
    status = draw_apply(replay->draw, &opening).status;
    return status == STATUS_OK ? STATUS_OK : v1_fail(err, JOURNAL_V1_NAME, status);
}

enum status journal_v1_replay(const struct data_dir *data_dir, int journal_fd, int bets_fd,
                              const struct draw_opened *opened, struct recovery_pace *pace,
                              struct draw *draw, struct bets_extent *extent,
                              struct journal_v1_report *report, struct errbuf *err)
{
    struct replay *replay = calloc(1, sizeof(*replay));

    if (replay == NULL)
        return v1_fail(err, JOURNAL_V1_NAME, STATUS_NOMEM);
    *report = (struct journal_v1_report){0};
    replay->ops = data_dir->ops;
    replay->journal_fd = journal_fd;
    replay->bets_fd = bets_fd;
    replay->agencies = opened->agencies;
    replay->pace = pace;
    replay->draw = draw;
    replay->extent = extent;
    replay->report = report;
    enum status status = v1_begin(replay, opened, err);
    if (status == STATUS_OK)
        status = v1_take_journal(replay, err);
    if (status == STATUS_OK)
        status = v1_judge_end(replay, err);
    free(replay);
    return status;
}
