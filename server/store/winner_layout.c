#include "winner_layout.h"

#include "crc32c.h"
#include "little_endian.h"

#include <string.h>

#define VERSION 1

static const uint8_t magic[8] = {'w', 'i', 'n', 'n', 'e', 'r', 's', '\n'};

/* Offsets in the header. The checksum covers all that follows it, up to the end of the table. */
enum {
    AT_MAGIC = 0,
    AT_CRC = 8,           /* u32 */
    AT_VERSION = 12,      /* u32 */
    AT_AGENCIES = 16,     /* u32 */
    AT_WINNERS_CRC = 20,  /* u32 */
    AT_WINNERS = 24,      /* u64 */
    AT_WINNERS_SIZE = 32, /* u64 */
};

/* Offsets in an entry of the table. */
enum {
    ENTRY_AT = 0,     /* u64 */
    ENTRY_BYTES = 8,  /* u64 */
    ENTRY_COUNT = 16, /* u64 */
    ENTRY_CRC = 24,   /* u32, then four bytes of zero */
};

_Static_assert(AT_WINNERS_SIZE + sizeof(uint64_t) == WINNER_HEADER_SIZE,
               "the size ends the header");

bool winner_layout_takes(uint32_t agencies, const struct winner *winner)
{
    return winner->agency >= 1 && winner->agency <= agencies && winner->document_size >= 1 &&
           winner->document_size <= BET_DOCUMENT_MAX;
}

size_t winner_layout_head_size(uint32_t agencies)
{
    return WINNER_HEADER_SIZE + (size_t)agencies * WINNER_ENTRY_SIZE;
}

static uint32_t winner_layout_crc(const uint8_t *head, uint32_t agencies)
{
    return crc32c(0, head + AT_VERSION, winner_layout_head_size(agencies) - AT_VERSION);
}

void winner_layout_encode(uint32_t agencies, const struct draw_drawn *drawn,
                          const struct winner_group *groups, uint8_t *out)
{
    memset(out, 0, winner_layout_head_size(agencies));
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    little_put32(out + AT_VERSION, VERSION);
    little_put32(out + AT_AGENCIES, agencies);
    little_put32(out + AT_WINNERS_CRC, drawn->winners_crc);
    little_put64(out + AT_WINNERS, drawn->winners);
    little_put64(out + AT_WINNERS_SIZE, drawn->winners_size);
    for (uint32_t i = 1; i <= agencies; i++) {
        uint8_t *entry = out + winner_layout_head_size(i - 1);
        little_put64(entry + ENTRY_AT, groups[i].at);
        little_put64(entry + ENTRY_BYTES, groups[i].bytes);
        little_put64(entry + ENTRY_COUNT, groups[i].count);
        little_put32(entry + ENTRY_CRC, groups[i].crc);
    }
    little_put32(out + AT_CRC, winner_layout_crc(out, agencies));
}

struct winner_group winner_layout_group(const uint8_t *head, uint32_t agency)
{
    const uint8_t *entry = head + winner_layout_head_size(agency - 1);

    return (struct winner_group){
        .at = little_get64(entry + ENTRY_AT),
        .bytes = little_get64(entry + ENTRY_BYTES),
        .count = little_get64(entry + ENTRY_COUNT),
        .crc = little_get32(entry + ENTRY_CRC),
    };
}

static bool winner_layout_is_of(const uint8_t *head, const struct draw_drawn *drawn)
{
    return little_get64(head + AT_WINNERS) == drawn->winners &&
           little_get64(head + AT_WINNERS_SIZE) == drawn->winners_size &&
           little_get32(head + AT_WINNERS_CRC) == drawn->winners_crc;
}

/* Can so many documents have so many bytes? */
static bool winner_layout_is_possible(const struct winner_group *group)
{
    return group->count <= group->bytes / 2 && group->bytes / WINNER_TEXT_MAX <= group->count &&
           (group->count > 0 || group->bytes == 0);
}

/* Do the groups fill the file from the end of the table on, in their order? Each number is compared
 * before it is added, so that none can wrap. */
static bool winner_layout_fits(const uint8_t *head, uint64_t file_size, uint32_t agencies,
                               uint64_t winners)
{
    uint64_t at = winner_layout_head_size(agencies);

    for (uint32_t i = 1; i <= agencies; i++) {
        struct winner_group group = winner_layout_group(head, i);
        if (group.at != at || group.bytes > file_size - at || group.count > winners ||
            !winner_layout_is_possible(&group))
            return false;
        at += group.bytes;
        winners -= group.count;
    }
    return at == file_size && winners == 0;
}

enum status winner_layout_check(const uint8_t *head, uint64_t file_size, uint32_t agencies,
                                const struct draw_drawn *drawn, struct errbuf *err)
{
    const char *what = NULL;

    if (file_size < winner_layout_head_size(agencies))
        what = "too short";
    else if (memcmp(head + AT_MAGIC, magic, sizeof(magic)) != 0)
        what = "not an index of winners";
    else if (little_get32(head + AT_AGENCIES) != agencies)
        what = "has another number of agencies";
    else if (little_get32(head + AT_CRC) != winner_layout_crc(head, agencies))
        what = "checksum mismatch in its table";
    else if (little_get32(head + AT_VERSION) != VERSION)
        what = "of an unknown version";
    else if (!winner_layout_is_of(head, drawn))
        what = "of another draw";
    else if (!winner_layout_fits(head, file_size, agencies, drawn->winners))
        what = "its table does not fit its size";
    if (what == NULL)
        return STATUS_OK;
    errbuf_set(err, "%s", what);
    return STATUS_DAMAGED;
}
