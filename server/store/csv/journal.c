#include "journal.h"

#include "assertion.h"
#include "crc32c.h"

#include <string.h>

#define VERSION 1

static void journal_put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t journal_get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* The layout: offset and width of each field. The checksum covers everything after itself. */
enum {
    AT_CRC = 0,       /* u32 */
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

_Static_assert(AT_ID + sizeof(uint64_t) == JOURNAL_RECORD_SIZE, "the id ends the record");
_Static_assert(JOURNAL_RECORD_SIZE <= JOURNAL_HEADER_B &&
                   JOURNAL_HEADER_B + JOURNAL_RECORD_SIZE <= JOURNAL_START,
               "headers and records do not overlap");

void journal_encode(const struct journal_record *record, uint8_t out[JOURNAL_RECORD_SIZE])
{
    ASSERT(record->at % JOURNAL_RECORD_SIZE == 0);
    memset(out, 0, JOURNAL_RECORD_SIZE);
    out[AT_TYPE] = (uint8_t)record->type;
    out[AT_VERSION] = VERSION;
    journal_put(out + AT_AGENCY, record->agency, 4);
    journal_put(out + AT_COUNT, record->count, 4);
    journal_put(out + AT_RECEIVED, record->received, 8);
    journal_put(out + AT_DATA, record->data_at, 8);
    journal_put(out + AT_SIZE, record->data_size, 4);
    journal_put(out + AT_DATA_CRC, record->data_crc, 4);
    journal_put(out + AT_SYNCED, record->synced, 8);
    journal_put(out + AT_SELF, record->at, 8);
    journal_put(out + AT_ID, record->id, 8);
    journal_put(out + AT_CRC, crc32c(0, out + AT_TYPE, JOURNAL_RECORD_SIZE - AT_TYPE), 4);
}

/* Is this a possible size of the journal on disk: the headers and whole records? */
static bool journal_is_synced_size(uint64_t synced)
{
    return synced >= JOURNAL_START && (synced - JOURNAL_START) % JOURNAL_RECORD_SIZE == 0;
}

bool journal_decode(const uint8_t bytes[JOURNAL_RECORD_SIZE], struct journal_record *out)
{
    if (journal_get(bytes + AT_CRC, 4) != crc32c(0, bytes + AT_TYPE, JOURNAL_RECORD_SIZE - AT_TYPE))
        return false;
    if (bytes[AT_VERSION] != VERSION || bytes[AT_TYPE] < JOURNAL_HEADER ||
        bytes[AT_TYPE] > JOURNAL_DRAW || !journal_is_synced_size(journal_get(bytes + AT_SYNCED, 8)))
        return false;
    *out = (struct journal_record){
        .type = (enum journal_type)bytes[AT_TYPE],
        .agency = (uint32_t)journal_get(bytes + AT_AGENCY, 4),
        .count = (uint32_t)journal_get(bytes + AT_COUNT, 4),
        .received = journal_get(bytes + AT_RECEIVED, 8),
        .data_at = journal_get(bytes + AT_DATA, 8),
        .data_size = (uint32_t)journal_get(bytes + AT_SIZE, 4),
        .data_crc = (uint32_t)journal_get(bytes + AT_DATA_CRC, 4),
        .synced = journal_get(bytes + AT_SYNCED, 8),
        .at = journal_get(bytes + AT_SELF, 8),
        .id = journal_get(bytes + AT_ID, 8),
    };
    return true;
}
