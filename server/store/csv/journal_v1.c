/* Carrying over: what the journal of the first release says of a draw.
 *
 * Two header records of 64 bytes at 0 and 512, then, from 1024, records of 64 bytes.
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

#define VERSION 1
#define RECORD_SIZE 64
#define HEADER_B 512    /* offset of the second header */
#define RECORDS_AT 1024 /* offset of the first record */

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

/* Is this a possible size of the journal on disk: the headers and whole records? */
static bool v1_is_synced_size(uint64_t synced)
{
    return synced >= RECORDS_AT && (synced - RECORDS_AT) % RECORD_SIZE == 0;
}

/* Decodes the record at `at`. False, without *out, when it is not a valid one. */
static bool v1_decode(const uint8_t *bytes, uint64_t at, struct record *out)
{
    if (little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_TYPE, RECORD_SIZE - AT_TYPE) ||
        bytes[AT_VERSION] != VERSION || bytes[AT_TYPE] < TYPE_HEADER ||
        bytes[AT_TYPE] > TYPE_DRAW || little_get64(bytes + AT_SELF) != at ||
        !v1_is_synced_size(little_get64(bytes + AT_SYNCED)))
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
        .at = at,
        .id = little_get64(bytes + AT_ID),
    };
    return true;
}

/* Takes the newer of the two headers. Without one, the journal is not of version 1. */
static enum status v1_read_header(struct recovery *self, struct errbuf *err)
{
    uint64_t generation = 0;

    for (uint64_t at = 0; at <= HEADER_B; at += HEADER_B) {
        uint8_t bytes[RECORD_SIZE];
        struct record header;
        size_t size;
        enum status status =
            file_read(self->data_dir->ops, self->journal_fd, bytes, sizeof(bytes), at, &size);
        if (status != STATUS_OK)
            return file_fail(err, JOURNAL_NAME, status);
        if (size < sizeof(bytes) || !v1_decode(bytes, at, &header) || header.type != TYPE_HEADER ||
            (self->is_version_1 && header.received <= generation))
            continue;
        generation = header.received;
        self->header.stamp = header.id;
        self->synced = header.synced;
        self->is_version_1 = true;
    }
    return STATUS_OK;
}

static enum status v1_take_bets(struct recovery *self, const struct record *record,
                                struct errbuf *err)
{
    uint64_t size = self->extent.size;
    uint32_t extent_crc = self->extent.crc;
    /* Of these bytes, and of the agency's bets. */
    uint32_t crcs[] = {0, draw_checksum(self->draw, record->agency)};
    uint64_t known = draw_received(self->draw, record->agency);
    struct draw_record bets = {
        .type = DRAW_BETS,
        .bets = {.agency = record->agency, .count = record->count, .offset = known}};

    if (record->data_at != size) {
        recovery_mark_end(self, JOURNAL_NAME, record->at,
                          "record that does not continue " BETS_NAME);
        return STATUS_OK;
    }
    if (record->received < known || record->received - known != record->count) {
        recovery_mark_end(self, JOURNAL_NAME, record->at,
                          "record that does not continue its agency");
        return STATUS_OK;
    }
    enum status status = recovery_follow_bets(self, record->data_size, crcs, 2, err);
    if (status != STATUS_OK)
        return status;
    bets.bets.checksum = crcs[1];
    if (!recovery_is_at_end(self) && crcs[0] != record->data_crc)
        recovery_mark_end(self, BETS_NAME, size, "checksum mismatch in the batch");
    if (!recovery_is_at_end(self) && !draw_apply(self->draw, &bets).is_recorded)
        recovery_mark_end(self, JOURNAL_NAME, record->at, "bets that the draw does not accept");
    if (recovery_is_at_end(self))
        bets_extent_cut(&self->extent, size, extent_crc);
    return STATUS_OK;
}

/* An agency that is new since a draw was held may have asked for its winners. That counts nothing.
 */
static bool v1_is_late_question(const struct recovery *self, const struct record *record)
{
    return self->draw->phase == DRAW_DRAWN && record->type == TYPE_FINISHED &&
           record->agency > self->draw->agencies && record->received == 0;
}

static void v1_take_finished(struct recovery *self, const struct record *record)
{
    struct draw_record finished = {
        .type = DRAW_FINISHED, .finished = {.agency = record->agency, .total = record->received}};

    if (draw_apply(self->draw, &finished).status != STATUS_OK)
        recovery_mark_end(self, JOURNAL_NAME, record->at, "an end that the draw does not accept");
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

static void v1_take_draw(struct recovery *self, const struct record *record)
{
    struct draw *draw = self->draw;
    struct draw_record closing = {
        .type = DRAW_CLOSING, .closed = {.by = DRAW_BY_ALL_FINISHED, .extent = self->extent.size}};
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
        recovery_mark_end(self, JOURNAL_NAME, record->at, "a draw that is not accepted");
}

static enum status v1_take_record(struct recovery *self, const struct record *record,
                                  struct errbuf *err)
{
    if (record->type == TYPE_DRAW) {
        v1_take_draw(self, record);
        return STATUS_OK;
    }
    if (v1_is_late_question(self, record))
        return STATUS_OK;
    if (record->agency < 1 || record->agency > self->opened.agencies) {
        errbuf_set(err,
                   JOURNAL_NAME ": has bets of agency %" PRIu32 ", but LOTTERY_AGENCIES is %" PRIu32
                                ": raise it, or choose another folder",
                   record->agency, self->opened.agencies);
        return STATUS_INVALID;
    }
    if (record->type == TYPE_BETS)
        return v1_take_bets(self, record, err);
    v1_take_finished(self, record);
    return STATUS_OK;
}

/* Takes all records. After the valid part, only what they say of the disk matters, and where the
 * zeros of the reserve begin. */
static enum status v1_take_records(struct recovery *self, struct errbuf *err)
{
    size_t got = RECORD_SIZE;

    self->journal_end = self->journal_used = RECORDS_AT;
    for (uint64_t at = RECORDS_AT; got == RECORD_SIZE; at += RECORD_SIZE) {
        const uint8_t *bytes = NULL;
        struct record record;
        enum status status = recovery_look(self, at, RECORD_SIZE, &bytes, &got, err);
        if (status != STATUS_OK)
            return status;
        bool is_valid = got == RECORD_SIZE && v1_decode(bytes, at, &record) &&
                        record.id == self->header.stamp && record.type != TYPE_HEADER;
        if (is_valid && record.synced > self->synced)
            self->synced = record.synced;
        for (size_t i = 0; i < got; i++)
            self->journal_used = bytes[i] != 0 ? at + i + 1 : self->journal_used;
        if (recovery_is_at_end(self))
            continue;
        if (self->synced >= at) /* and the bets with it */
            self->bets_synced = self->extent.size;
        if (is_valid)
            status = v1_take_record(self, &record, err);
        else
            recovery_mark_end(self, JOURNAL_NAME, at,
                              got == RECORD_SIZE ? "invalid record" : "records missing");
        if (status != STATUS_OK)
            return status;
        if (!recovery_is_at_end(self))
            self->journal_end += RECORD_SIZE;
    }
    return STATUS_OK;
}

/* Is what follows the valid part only a torn tail? */
static enum status v1_judge_end(struct recovery *self, struct errbuf *err)
{
    if (self->journal_used < self->journal_end) /* a record may end in zeros */
        self->journal_used = self->journal_end;
    if (self->journal_size < RECORDS_AT) {
        errbuf_set(err,
                   JOURNAL_NAME ": ends at byte %" PRIu64 ", within its header: restore the folder"
                                " from a copy, or move it away to start over",
                   self->journal_size);
        return STATUS_DAMAGED;
    }
    return self->journal_end < self->synced ? recovery_refuse_damage(self, err) : STATUS_OK;
}

enum status journal_v1_read(struct recovery *self, struct errbuf *err)
{
    struct draw_record opening = {.type = DRAW_OPENED, .opened = self->opened};

    enum status status = v1_read_header(self, err);
    if (status != STATUS_OK || !self->is_version_1)
        return status;
    self->bytes_all = self->bets_size + self->journal_size;
    status = draw_apply(self->draw, &opening).status;
    if (status != STATUS_OK)
        return file_fail(err, JOURNAL_NAME, status);
    status = v1_take_records(self, err);
    return status == STATUS_OK ? v1_judge_end(self, err) : status;
}
